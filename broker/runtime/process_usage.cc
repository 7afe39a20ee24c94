#include "broker/runtime/process_usage.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace tidemark::broker {
namespace {

// Without "." and "..", and without the one that counts.
uint64_t count_open_files() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  uint64_t entries = 0;
  while (readdir(folder) != nullptr) ++entries;
  closedir(folder);
  return entries - 3;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

ProcessUsage process_usage() {
  ProcessUsage usage;
  std::ifstream pages("/proc/self/statm");
  uint64_t all = 0;
  uint64_t resident = 0;
  if (pages >> all >> resident)
    usage.resident_bytes = resident * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
  usage.open_files = count_open_files();
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  usage.max_open_files = limit.rlim_cur;
  return usage;
}

double process_cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace tidemark::broker
