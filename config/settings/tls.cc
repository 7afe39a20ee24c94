// TLS. They protect: refused until they work, never ignored.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    broker("ssl.allow.dn.changes", kBoolean, "false", kAny, kLow, kReadOnly, refused(kNoTls),
           "Whether a renewed certificate may name another subject."),
    broker("ssl.allow.san.changes", kBoolean, "false", kAny, kLow, kReadOnly, refused(kNoTls),
           "Whether a renewed certificate may name other alternative names."),
    broker("ssl.cipher.suites", kList, "", kAny, kMedium, kPerBroker, refused(kNoTls),
           "Cipher suites that are offered."),
    broker("ssl.client.auth", kString, "none", one_of("required, requested, none"), kMedium, kPerBroker,
           refused(kNoTls), "Whether clients must show a certificate."),
    broker("ssl.enabled.protocols", kList, "TLSv1.2,TLSv1.3", kAny, kMedium, kPerBroker, refused(kNoTls),
           "TLS versions that are offered."),
    broker("ssl.endpoint.identification.algorithm", kString, "https", kAny, kLow, kPerBroker, refused(kNoTls),
           "How a peer's name is checked against its certificate."),
    broker("ssl.engine.factory.class", kClass, kNull, kAny, kLow, kPerBroker, refused(kNoTls),
           "Java class that makes TLS engines."),
    broker("ssl.key.password", kPassword, kNull, kAny, kMedium, kPerBroker, refused(kNoTls),
           "Password of the private key."),
    broker("ssl.keymanager.algorithm", kString, "SunX509", kAny, kMedium, kPerBroker, refused(kNoTls),
           "Java's choice of key manager."),
    broker("ssl.keystore.certificate.chain", kPassword, kNull, kAny, kMedium, kPerBroker, refused(kNoTls),
           "The certificate and its issuers, as PEM."),
    broker("ssl.keystore.key", kPassword, kNull, kAny, kMedium, kPerBroker, refused(kNoTls),
           "The private key, as PEM."),
    broker("ssl.keystore.location", kString, kNull, kAny, kMedium, kPerBroker, refused(kNoTls),
           "File with the private key and its certificate."),
    broker("ssl.keystore.password", kPassword, kNull, kAny, kMedium, kPerBroker, refused(kNoTls),
           "Password of that file."),
    broker("ssl.keystore.type", kString, "JKS", kAny, kMedium, kPerBroker, refused(kNoTls),
           "Format of that file."),
    broker("ssl.principal.mapping.rules", kString, "DEFAULT", kAny, kLow, kReadOnly, refused(kNoTls),
           "How a certificate's subject becomes a user name."),
    broker("ssl.protocol", kString, "TLSv1.3", kAny, kMedium, kPerBroker, refused(kNoTls),
           "The TLS version that is preferred."),
    broker("ssl.provider", kString, kNull, kAny, kMedium, kPerBroker, refused(kNoTls),
           "Java's provider of TLS."),
    broker("ssl.secure.random.implementation", kString, kNull, kAny, kLow, kPerBroker, refused(kNoTls),
           "Java's source of randomness for TLS."),
    broker("ssl.trustmanager.algorithm", kString, "PKIX", kAny, kMedium, kPerBroker, refused(kNoTls),
           "Java's choice of trust manager."),
    broker("ssl.truststore.certificates", kPassword, kNull, kAny, kMedium, kPerBroker, refused(kNoTls),
           "Trusted certificates, as PEM."),
    broker("ssl.truststore.location", kString, kNull, kAny, kMedium, kPerBroker, refused(kNoTls),
           "File with the trusted certificates."),
    broker("ssl.truststore.password", kPassword, kNull, kAny, kMedium, kPerBroker, refused(kNoTls),
           "Password of that file."),
    broker("ssl.truststore.type", kString, "JKS", kAny, kMedium, kPerBroker, refused(kNoTls),
           "Format of that file."),
};

}  // namespace

std::span<const Setting> tls_settings() { return kSettings; }

}  // namespace tidemark::config
