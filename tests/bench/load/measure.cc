#include "tests/bench/load/measure.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace tidemark::bench {
namespace {

double ticks_per_second() { return static_cast<double>(::sysconf(_SC_CLK_TCK)); }

struct ProcessSeconds {
  double user = 0;
  double kernel = 0;
};

ProcessSeconds process_seconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  // Behind the name: state is field 3, utime and stime are 14 and 15.
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int i = 3; i < 14; ++i) fields >> field;
  double user = 0, kernel = 0;
  fields >> user >> kernel;
  return {.user = user / ticks_per_second(), .kernel = kernel / ticks_per_second()};
}

// The number behind `name` in a file of lines NAME VALUE; 0 if there is none.
int64_t process_field(pid_t pid, const std::string& file_name, std::string_view name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/" + file_name);
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(name)) return std::stoll(line.substr(name.size()));
  }
  return 0;
}

double own_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + t.tv_usec / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double machine_seconds() {
  std::ifstream file("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, soft_irq = 0;
  file >> name >> user >> nice >> system >> idle >> waiting >> irq >> soft_irq;
  return (user + nice + system + irq + soft_irq) / ticks_per_second();
}

}  // namespace

nlohmann::json Latencies::percentiles() {
  std::sort(values_.begin(), values_.end());
  const auto at = [this](double share) {
    if (values_.empty()) return 0.0;
    const auto index = static_cast<size_t>(share * static_cast<double>(values_.size()));
    return static_cast<double>(values_[std::min(index, values_.size() - 1)]) / 1e3;
  };
  return {{"p50", at(0.5)}, {"p99", at(0.99)}, {"p99.9", at(0.999)}, {"max", at(1.0)}};
}

CpuTimes cpu_times(pid_t broker) {
  const ProcessSeconds of_broker = process_seconds(broker);
  return {.broker_s = of_broker.user + of_broker.kernel,
          .load_s = own_seconds(),
          .machine_s = machine_seconds(),
          .kernel_s = of_broker.kernel};
}

int64_t resident_kib(pid_t pid) { return process_field(pid, "status", "VmRSS:"); }

int64_t written_bytes(pid_t pid) { return process_field(pid, "io", "write_bytes:"); }

nlohmann::json Window::report(uint64_t records, uint64_t bytes) const {
  const double seconds = static_cast<double>(closed_ - opened_) / 1e9;
  const double broker = after_.broker_s - before_.broker_s;
  const double load = after_.load_s - before_.load_s;
  const double machine = after_.machine_s - before_.machine_s;
  const auto written = static_cast<double>(written_after_ - written_before_);
  const auto count = static_cast<double>(records);
  return {{"seconds", seconds},
          {"records", records},
          {"records_per_second", count / seconds},
          {"mb_per_second", static_cast<double>(bytes) / 1e6 / seconds},
          {"broker_cpu_seconds", broker},
          {"broker_kernel_cpu_seconds", after_.kernel_s - before_.kernel_s},
          {"broker_cpu_us_per_record", records == 0 ? 0 : broker * 1e6 / count},
          {"broker_cpu_seconds_per_gb", bytes == 0 ? 0 : broker * 1e9 / static_cast<double>(bytes)},
          {"written_per_byte", bytes == 0 ? 0 : written / static_cast<double>(bytes)},
          {"load_cpu_seconds", load},
          {"others_cpu_seconds", std::max(machine - broker - load, 0.0)},
          {"rss_kib", resident_kib(broker_)}};
}

}  // namespace tidemark::bench
