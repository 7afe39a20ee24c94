// What seeds a node's SeededRandom in production: the kernel's randomness, read once at the start.
#pragma once

#include <cstdint>

namespace tidemark::broker {

[[nodiscard]] uint64_t os_random_seed();

}  // namespace tidemark::broker
