#include "drill/log_steps.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

namespace colo::drill {
namespace {

const std::string step_mark = " step: ";
const std::string handover_mark = "HANDING-OVER/";
// Often enough to meet a phase of some milliseconds, seldom enough to leave its engine a processor.
constexpr auto between_looks = std::chrono::microseconds(50);

struct Named {
  std::string_view step;
  const char* phase;
};
// What begins with the step, until the next one.
constexpr std::array<Named, 13> phases{{{"pass", phase_pass},
                                        {"standstill", phase_standstill},
                                        {"sending", phase_stream},
                                        {"awaiting", phase_commit},
                                        {"acknowledged", phase_idle},
                                        {"staged", phase_commit},
                                        {"committed", phase_commit},
                                        {"flushing", phase_flush},
                                        {"flushed", phase_idle},
                                        {"loading", phase_load},
                                        {"loaded", phase_idle},
                                        {"starting", phase_start},
                                        {"replica-runs", phase_idle}}};

// States that follow a switchover, done or given up.
constexpr std::array<std::string_view, 6> later_states{
    ": PROTECTED:", ": SOLO:", ": CLAIMING:", ": LOST:", ": ENDED:", ": JOINING:"};

bool ends_handover(const std::string& line) {
  return std::any_of(later_states.begin(), later_states.end(),
                     [&](std::string_view state) { return line.find(state) != std::string::npos; });
}

std::string phase_of(const std::string& step, const std::string& epoch, const std::string& last) {
  for (const Named& named : phases) {
    if (named.step != step) continue;
    const std::string phase = named.phase;
    const bool first =
        epoch == "1" && (phase == phase_pass || phase == phase_standstill || phase == phase_stream);
    return first ? phase_initial_copy : phase;
  }
  return last;
}

}  // namespace

std::uint64_t log_size(const std::filesystem::path& log) {
  struct stat file {};
  return ::stat(log.c_str(), &file) == 0 ? static_cast<std::uint64_t>(file.st_size) : 0;
}

std::string log_text(const std::filesystem::path& log, std::uint64_t size) {
  std::ifstream in(log, std::ios::binary);
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::string phase_after(const std::string& log) {
  std::string phase = phase_idle;
  bool handing_over = false;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (const auto at = line.find(step_mark); at != std::string::npos) {
      if (handing_over) continue;
      std::istringstream words(line.substr(at + step_mark.size()));
      std::string step, epoch;
      words >> step >> epoch;
      phase = phase_of(step, epoch, phase);
    } else if (const auto moved = line.find(handover_mark); moved != std::string::npos) {
      const std::size_t begin = moved + handover_mark.size();
      phase = line.substr(begin, line.find_first_of(": ", begin) - begin);
      handing_over = true;
    } else if (handing_over && ends_handover(line)) {
      phase = phase_idle;
      handing_over = false;
    }
  }
  return phase;
}

LogWatch::LogWatch(const std::filesystem::path& log)
    : fd_(::open(log.c_str(), O_RDONLY | O_CLOEXEC)), read_(log_size(log)) {}

bool LogWatch::wait_for(const std::string& words, std::chrono::milliseconds patience,
                        const std::function<bool()>& give_up) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::array<char, 65536> piece{};
  for (;;) {
    const ssize_t n = ::pread(fd_.get(), piece.data(), piece.size(), static_cast<off_t>(read_));
    if (n > 0) {
      read_ += static_cast<std::uint64_t>(n);
      rest_.append(piece.data(), static_cast<std::size_t>(n));
      if (rest_.find(words) != std::string::npos) return true;
      rest_.erase(0, rest_.rfind('\n') == std::string::npos ? 0 : rest_.rfind('\n') + 1);
      continue;
    }
    if (std::chrono::steady_clock::now() > deadline || give_up()) return false;
    std::this_thread::sleep_for(between_looks);
  }
}

}  // namespace colo::drill
