#include "broker/observe/spdlog_log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace tidemark::broker {
namespace {

constexpr size_t kMaxWaitingLines = 1024;

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warn: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

class SpdlogLog final : public Log {
 public:
  explicit SpdlogLog(LogOptions options)
      : format_(options.format),
        pool_(std::make_shared<spdlog::details::thread_pool>(kMaxWaitingLines, 1)),
        logger_(std::make_shared<spdlog::async_logger>(
            "tidemark", std::make_shared<spdlog::sinks::stderr_sink_mt>(), pool_,
            spdlog::async_overflow_policy::overrun_oldest)) {
    logger_->set_level(spdlog_level(options.least));
    logger_->set_pattern(format_ == LogFormat::text ? "%Y-%m-%dT%H:%M:%S.%eZ %l %v"
                                                    : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})",
                         spdlog::pattern_time_type::utc);
  }

  void write(LogLevel level, std::string_view event, std::span<const LogField> fields) override {
    const auto as = spdlog_level(level);
    if (!logger_->should_log(as)) return;
    const std::string line = format_event(format_, event, fields);
    logger_->log(as, spdlog::string_view_t(line.data(), line.size()));
  }

  [[nodiscard]] bool wants(LogLevel level) const override { return logger_->should_log(spdlog_level(level)); }

 private:
  LogFormat format_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;  // its destructor writes out the queue, then joins
  std::shared_ptr<spdlog::async_logger> logger_;
};

}  // namespace

std::unique_ptr<Log> make_stderr_log(LogOptions options) { return std::make_unique<SpdlogLog>(options); }

}  // namespace tidemark::broker
