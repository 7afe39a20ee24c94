// What the group verbs are told: partitions as TOPIC:P,P..., and groups, with the nearest one where there is
// none of that name.
#pragma once

#include "client/cli/session.h"
#include "client/core/group_admin.h"

namespace tidemark::cli {

struct TopicChoice {
  std::string topic;
  std::vector<int32_t> partitions;  // empty: all
};
// "orders", "orders:0,3". Error (config). Pure.
Result<TopicChoice> parse_topic_choice(std::string_view text);

// A GROUP_ID_NOT_FOUND that says more: which group was meant, or of which type that one is. Others as they
// are.
runtime::Task<Error> explain(client::GroupAdmin& groups, std::string name, Error error);
// "readers is Stable and has 2 members (a at /10.0.0.1, ...): stop them first", for what needs it inactive.
// Pure.
[[nodiscard]] Error still_active(const client::GroupDescription& group);

}  // namespace tidemark::cli
