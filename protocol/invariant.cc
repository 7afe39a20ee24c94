#include "protocol/invariant.h"

#include <cstdio>
#include <cstdlib>

namespace tidemark {

void invariant_failed(const char* file, int line, const char* condition, const std::string& values) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s: %s\n", file, line, condition, values.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace tidemark
