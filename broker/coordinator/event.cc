#include "broker/coordinator/event.h"

namespace tidemark::coordinator {

std::string_view end_name(OffsetsEnd end) {
  switch (end) {
    case OffsetsEnd::expired: return "expired";
    case OffsetsEnd::deleted: return "deleted";
    case OffsetsEnd::topic_deleted: return "topic_deleted";
    case OffsetsEnd::group_deleted: return "group_deleted";
  }
  return "expired";
}

}  // namespace tidemark::coordinator
