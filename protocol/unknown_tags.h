// Tagged fields (KIP-482) that a message carried and this release's schema does not know. They survive a
// round trip. Almost always empty, so a struct pays one pointer for them. Values are views into the frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tidemark::protocol {

struct UnknownTag {
  uint32_t tag = 0;
  std::span<const std::byte> value;
};

class UnknownTags {
 public:
  UnknownTags() = default;
  UnknownTags(UnknownTags&&) noexcept = default;
  UnknownTags& operator=(UnknownTags&&) noexcept = default;
  UnknownTags(const UnknownTags& other) { *this = other; }
  UnknownTags& operator=(const UnknownTags& other) {
    if (this != &other)
      tags_ = other.tags_ ? std::make_unique<std::vector<UnknownTag>>(*other.tags_) : nullptr;
    return *this;
  }

  [[nodiscard]] bool empty() const { return tags_ == nullptr; }
  [[nodiscard]] size_t size() const { return tags_ ? tags_->size() : 0; }
  // Invariant after decoding: ascending, no tag twice.
  [[nodiscard]] std::span<const UnknownTag> all() const {
    return tags_ ? std::span<const UnknownTag>(*tags_) : std::span<const UnknownTag>();
  }
  void add(UnknownTag tag) {
    if (!tags_) tags_ = std::make_unique<std::vector<UnknownTag>>();
    tags_->push_back(tag);
  }
  // Puts the tags in ascending order; false if one is there twice.
  bool sort();

 private:
  std::unique_ptr<std::vector<UnknownTag>> tags_;
};

}  // namespace tidemark::protocol
