#include "storage/identity.h"

#include <fmt/format.h>

#include <cstring>

namespace tidemark::storage {
namespace {

constexpr uint32_t kKind = 0x49444D54;  // "TMDI"
constexpr uint16_t kFormat = 1;

struct Layout {  // fixed widths, no padding: copied as bytes
  std::byte cluster[16];
  std::byte folder[16];
  uint64_t generation;
  uint64_t clean_stop;
  int32_t node;
  int32_t term;
  int32_t vote;
  int32_t served_term;  // older releases leave 0
};
static_assert(sizeof(Layout) == 64);

}  // namespace

Result<IdentityFile> IdentityFile::open(FileSystem& files, const std::string& path) {
  IdentityFile result;
  TRY_ASSIGN(result.file_, DoubleWrittenFile::open(files, path, kKind, kFormat));
  if (const auto& payload = result.file_->payload()) {
    if (payload->size() != sizeof(Layout))
      return fail(Error::format(fmt::format("{} is not an identity file", path)));
    Layout layout;
    std::memcpy(&layout, payload->data(), sizeof layout);
    Identity id;
    std::memcpy(id.cluster_id.bytes.data(), layout.cluster, 16);
    std::memcpy(id.folder_id.bytes.data(), layout.folder, 16);
    id.generation = Generation(layout.generation);
    id.clean_stop = Generation(layout.clean_stop);
    id.node = BrokerId(layout.node);
    id.term = LeaderEpoch(layout.term);
    id.vote = BrokerId(layout.vote);
    id.served_term = LeaderEpoch(layout.served_term);
    result.identity_ = id;
  }
  return result;
}

Result<void> IdentityFile::write(const Identity& id) {
  Layout layout{};
  std::memcpy(layout.cluster, id.cluster_id.bytes.data(), 16);
  std::memcpy(layout.folder, id.folder_id.bytes.data(), 16);
  layout.generation = id.generation.value;
  layout.clean_stop = id.clean_stop.value;
  layout.node = id.node.value;
  layout.term = id.term.value;
  layout.vote = id.vote.value;
  layout.served_term = id.served_term.value;
  const auto* bytes = reinterpret_cast<const std::byte*>(&layout);
  TRY(file_->write(std::vector<std::byte>(bytes, bytes + sizeof layout)));
  identity_ = id;
  return {};
}

}  // namespace tidemark::storage
