// A connection's bytes: the first byte chooses the largest frame, the second how the bytes are cut into
// reads, the rest is what the client sends. However it is cut, the reader gives the frames that a plain walk
// over the bytes gives, refuses what that refuses, and asks for memory only when the start of a frame has
// come.
#include <cstring>
#include <vector>

#include "broker/server/frame_reader.h"
#include "protocol/frame.h"

using namespace tidemark;
using broker::FrameReader;

namespace {

struct Walk {
  std::vector<std::span<const std::byte>> frames;
  bool refused = false;
};

Walk walk(std::span<const std::byte> bytes, size_t most) {
  Walk found;
  while (bytes.size() >= 4) {
    uint32_t wire;
    std::memcpy(&wire, bytes.data(), 4);
    const auto length = static_cast<int32_t>(__builtin_bswap32(wire));
    if (length < 0 || static_cast<size_t>(length) > most) {
      found.refused = true;
      break;
    }
    if (bytes.size() - 4 < static_cast<size_t>(length)) break;
    found.frames.push_back(bytes.subspan(4, static_cast<size_t>(length)));
    bytes = bytes.subspan(4 + static_cast<size_t>(length));
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t most = size_t{1} << (data[0] % 20);
  uint32_t cut = data[1];
  const auto bytes = std::as_bytes(std::span(data + 2, size - 2));
  const Walk expected = walk(bytes, most);

  runtime::ByteBudget budget(most);
  FrameReader reader(most);
  size_t sent = 0;
  size_t frames = 0;
  bool refused = false;
  while (!refused) {
    if (reader.state() == FrameReader::State::refused) {
      INVARIANT(!reader.refusal().empty(), "a refusal without a word");
      refused = true;
    } else if (reader.state() == FrameReader::State::needs_memory) {
      const size_t wanted = reader.frame_bytes();
      INVARIANT(wanted <= most, "a frame of {} bytes where {} are allowed", wanted, most);
      runtime::Charge charge = runtime::Charge::take(budget, wanted);
      INVARIANT(charge, "two frames hold memory");
      reader.admit(std::move(charge));
    } else if (reader.state() == FrameReader::State::has_frame) {
      const runtime::BufferSlice frame = reader.take();
      INVARIANT(frames < expected.frames.size(), "frame {} of {}", frames, expected.frames.size());
      const auto want = expected.frames[frames++];
      INVARIANT(frame.size() == want.size() &&
                    (want.empty() || std::memcmp(frame.bytes.data(), want.data(), want.size()) == 0),
                "frame {} has other bytes", frames);
      protocol::Decoder in(frame.bytes);
      (void)protocol::decode_request_header(in).has_value();
    } else {
      if (sent == bytes.size()) break;
      const std::span<std::byte> space = reader.space();
      INVARIANT(!space.empty(), "no space to read into");
      // 1..4096 bytes a read, in an order that the input chooses.
      cut = cut * 1664525 + 1013904223;
      const size_t want = data[1] % 2 == 0 ? 1 + (cut >> 20) : 1 + (cut >> 29);
      const size_t count = std::min({space.size(), bytes.size() - sent, want});
      std::memcpy(space.data(), bytes.data() + sent, count);
      reader.added(count);
      sent += count;
    }
  }
  INVARIANT(frames == expected.frames.size(), "{} of {} frames", frames, expected.frames.size());
  INVARIANT(refused == expected.refused, "refused: {}, expected {}", refused, expected.refused);
  reader.drop_frame();
  INVARIANT(budget.used() == 0, "{} bytes are held", budget.used());
  return 0;
}
