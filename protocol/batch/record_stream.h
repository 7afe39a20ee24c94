// Reads the records of a compressed payload as it is opened, without ever holding more than one window of it:
// what each record says of itself, not its contents. A record may be larger than the window. For the produce
// check; borrows the decompressor.
#pragma once

#include <optional>
#include <span>

#include "protocol/batch/codec.h"
#include "protocol/batch/record_fields.h"

namespace tidemark::protocol {

struct RecordShape {
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  bool has_key = false;
};

class RecordStream {
 public:
  // REQUIRES: `decompressor` has been started on the payload.
  explicit RecordStream(Decompressor& decompressor) : decompressor_(decompressor) {}

  // The next record. False where it cannot be had: error() says why.
  bool next(RecordShape& out);
  // Whether the payload ends here. False: it goes on, or error().
  bool at_end();
  // The decompressor's error, or CORRUPT_MESSAGE with what is wrong with the record.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  // The bytes of the records read so far.
  [[nodiscard]] uint64_t bytes_read() const { return before_window_ + static_cast<uint64_t>(at_ - begin_); }

 private:
  // Across windows, field by field; `body_left_` is what the record has left.
  bool next_across_windows(RecordShape& out);
  bool fill();
  bool fail_record(const char* wrong);
  bool take_byte(uint8_t& out);
  bool take_varint32(int32_t& out);
  bool take_varint64(int64_t& out);
  bool skip_sized_field(int32_t& size);
  bool skip(uint64_t bytes);
  bool skip_headers();

  Decompressor& decompressor_;
  const std::byte* begin_ = nullptr;
  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  uint64_t before_window_ = 0;
  int64_t body_left_ = 0;
  std::optional<Error> error_;
};

}  // namespace tidemark::protocol
