// One turn of the coordinator: what a handler is given, and where it puts what it decides. Lives for one
// call of GroupCoordinator; soft state may change in it, the image never does.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "broker/coordinator/decision.h"
#include "broker/coordinator/group.h"
#include "broker/coordinator/image.h"
#include "broker/coordinator/settings.h"
#include "protocol/runtime/milliseconds.h"
#include "protocol/runtime/random.h"

namespace tidemark::coordinator {

struct Turn {
  const GroupSettings& settings;
  const Image& image;
  runtime::Random& random;
  Now now;
  Decision decision;

  void reply(RequestToken token, ReplyBody body) { decision.replies.push_back({token, std::move(body)}); }
  void event(Event event) { decision.events.push_back(std::move(event)); }
  void record(Record record) { decision.records.push_back(std::move(record)); }
  [[nodiscard]] runtime::MonoTime after_ms(int64_t ms) const { return now.mono + runtime::saturating_ms(ms); }
  [[nodiscard]] int64_t wall_ms() const { return runtime::unix_ms(now.wall); }
};

}  // namespace tidemark::coordinator
