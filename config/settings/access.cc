// Who may do what. They protect: refused until they work, never ignored.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    broker("authorizer.class.name", kString, "", kNonNull, kLow, kReadOnly, refused(kNoAccess),
           "What decides who may do what."),
    broker("create.topic.policy.class.name", kClass, kNull, kAny, kLow, kReadOnly, refused(kNoAccess),
           "Java class that may refuse new topics."),
    broker("alter.config.policy.class.name", kClass, kNull, kAny, kLow, kReadOnly, refused(kNoAccess),
           "Java class that may refuse changes of settings."),
    broker("principal.builder.class", kClass,
           "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", kAny, kMedium,
           kPerBroker, refused(kNoAccess), "Java class that turns a connection into a user name."),
    broker("client.quota.callback.class", kClass, kNull, kAny, kLow, kReadOnly, refused(kNoAccess),
           "Java class that decides quotas."),
    broker("delegation.token.expiry.check.interval.ms", kLong, "3600000", at_least(1), kLow, kReadOnly,
           refused(kNoAccess), "How often expired delegation tokens are removed."),
    broker("delegation.token.expiry.time.ms", kLong, "86400000", at_least(1), kMedium, kReadOnly,
           refused(kNoAccess), "How long a delegation token is valid without renewal."),
    broker("delegation.token.max.lifetime.ms", kLong, "604800000", at_least(1), kMedium, kReadOnly,
           refused(kNoAccess), "Longest life of a delegation token."),
    broker("delegation.token.secret.key", kPassword, kNull, kAny, kMedium, kReadOnly, refused(kNoAccess),
           "Key that signs delegation tokens."),
    broker("security.providers", kString, kNull, kAny, kLow, kReadOnly, refused(kNoAccess),
           "Java classes that provide security algorithms."),
};

}  // namespace

std::span<const Setting> access_settings() { return kSettings; }

}  // namespace tidemark::config
