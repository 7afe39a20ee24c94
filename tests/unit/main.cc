#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

// ThreadSanitizer's. Debian's RocksDB is not instrumented: it sees that library's calls of memcmp and delete,
// and not the atomic counts that order them. An access of our own code has no such frame and is reported.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:rocksdb::\n"; }
