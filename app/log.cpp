#include "app/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>

namespace colo::app {
namespace {

const std::array<std::string, 5> levels{"trace", "debug", "info", "warning", "error"};

std::optional<spdlog::level::level_enum> level_of(const std::string& name) {
  for (const std::string& known : levels) {
    if (name == known) return spdlog::level::from_str(name);
  }
  return std::nullopt;
}

}  // namespace

Result<void> set_up_log(const LogOptions& options) {
  const auto level = level_of(options.level);
  if (!level) {
    return fail("bad-log-level", "there is no level \"" + options.level + "\"",
                "use trace, debug, info, warning or error");
  }
  spdlog::sink_ptr sink;
  try {
    if (options.file) {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file->string());
    } else {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    }
  } catch (const spdlog::spdlog_ex& error) {
    return fail("log-file", error.what(), "give --log-file a path that this user may write to");
  }
  auto logger = std::make_shared<spdlog::logger>("colo", std::move(sink));
  logger->set_level(*level);
  // An engine may be killed at any instant; its last words matter most.
  logger->flush_on(spdlog::level::trace);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l " + options.host + ": %v",
                      spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace colo::app
