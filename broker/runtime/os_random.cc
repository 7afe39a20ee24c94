#include "broker/runtime/os_random.h"

#include <sys/random.h>

#include <cerrno>

#include "protocol/invariant.h"

namespace tidemark::broker {

uint64_t os_random_seed() {
  uint64_t seed = 0;
  ssize_t n = 0;
  do {
    n = ::getrandom(&seed, sizeof seed, 0);
  } while (n < 0 && errno == EINTR);
  INVARIANT(n == sizeof seed, "the kernel gave {} random bytes", n);
  return seed;
}

}  // namespace tidemark::broker
