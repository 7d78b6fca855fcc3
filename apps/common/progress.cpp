#include "apps/common/progress.h"

#include "apps/common/pruning_report.h"

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/core/shown_text.h>
#include <millrace/core/text_width.h>

#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

namespace millrace::apps {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr std::chrono::seconds kShortestWait{60}, kLongestWait{600};

// Of parts of lines, by what is missed most where there is not room for all.
enum Rank { kAlways, kFirst, kSecond, kThird, kFourth, kFifth, kSixth, kSeventh };

/// "0.9312"; what four digits say nothing of as 1.25e-07.
std::string measure(std::string_view name, double value) {
  const double size = std::abs(value);
  const bool is_plain = !(size > 0) || (size >= 0.001 && size < 1e6) || !std::isfinite(value);
  std::ostringstream text;
  text << name << ' ';
  if (is_plain) {
    text << fixed(value, 4);
  } else {
    text << std::setprecision(4) << value;
  }
  return std::move(text).str();
}

/// "[=====>    ]", so many columns in all.
std::string bar(double share, int columns) {
  const int width = columns - 2;
  const int filled = static_cast<int>(share * width);
  std::string text = "[";
  for (int i = 0; i < width; ++i) text += i < filled ? '=' : i == filled ? '>' : ' ';
  return text + ']';
}

std::string speed(double images_per_s) {
  return with_commas(static_cast<std::uint64_t>(images_per_s)) + " images/s";
}

/// Whether it is told in the line of pruning.
bool is_of_pruning(std::string_view name) {
  return name.ends_with("/sparsity") || name.ends_with("/threshold");
}

}  // namespace

Show how_to_show(bool quiet) {
  if (quiet) return Show::nothing;
  return is_terminal(STDOUT_FILENO) ? Show::bar : Show::lines;
}

Screen error_screen(bool quiet) {
  Screen screen(quiet ? Show::nothing : is_terminal(STDERR_FILENO) ? Show::bar : Show::lines);
  screen.out = &std::cerr;
  screen.columns = [] { return columns_of(STDERR_FILENO); };
  return screen;
}

StallWatch stall_watch(double after_s) {
  return {.after_s = after_s, .tell = [](const std::string& line) {
            std::cerr << concat(is_terminal(STDERR_FILENO) ? kWipe : "", "millrace: ", shown(line),
                                "; Ctrl-C stops, twice at once\n");
          }};
}

Counting::Counting(Screen screen, std::string text, std::string unit)
    : screen_(std::move(screen)), text_(std::move(text)), unit_(std::move(unit)) {}

void Counting::operator()(std::uint64_t count) {
  if (screen_.show != Show::bar) return;
  const auto now = screen_.now();
  if (now < next_) return;
  next_ = now + kRedraw;
  const std::string counted = concat(": ", with_commas(count), ' ', unit_);
  const int columns = screen_.line_columns();
  constexpr double kTail = 0.6;  // the end of a path tells most
  line_.draw(shortened(
      shortened(text_, std::max(0, columns - text_columns(counted)), kTail) + counted, columns));
}

void WorkShown::operator()(const std::string& what, const std::string& unit, std::uint64_t count) {
  if (!counting_ || what != what_) {
    counting_.reset();
    counting_.emplace(screen_, what, unit);
    what_ = what;
  }
  (*counting_)(count);
}

TrainingProgress::TrainingProgress(Screen screen, const RunSize& run)
    : screen_(std::move(screen)),
      run_(run),
      left_(run.epochs, run.training_steps, run.validation_steps),
      begin_(screen_.now()) {
  wait_for_next(begin_);
  if (is_bar()) next_ = begin_;
}

void TrainingProgress::wait_for_next(Time now) {
  if (is_bar()) {
    next_ = now + kRedraw;
  } else {  // a tenth of the time so far
    next_ =
        now + std::clamp<Screen::Clock::duration>((now - begin_) / 10, kShortestWait, kLongestWait);
  }
}

std::string TrainingProgress::epoch_of(std::uint32_t epoch) const {
  return concat("epoch ", epoch + 1, '/', run_.epochs);
}

std::string TrainingProgress::accuracy(const char* name, const nn::StepResult& result) const {
  return run_.tells_accuracy ? measure(name, result.accuracy()) : "";
}

std::string TrainingProgress::step_line(const StepRecord& record) const {
  const BatchTag& tag = record.tag;
  const std::uint32_t done = tag.step + tag.count;
  const std::string count = concat(done, '/', tag.steps);
  const std::optional<double> left = left_.seconds();
  const double rate = left_.rate() * static_cast<double>(run_.batch);
  const int columns = is_bar() ? std::max(1, screen_.line_columns()) : 0;
  constexpr int kRoomy = 80;
  const char* const of_run = columns == 0 || columns + 1 >= kRoomy ? "run: " : "";
  std::vector<LinePart> parts = {
      {epoch_of(tag.epoch) + (tag.phase == Phase::training ? "" : " validation"), kAlways},
      {count, kSecond},
      {measure("loss", record.totals.mean_loss()), kThird},
      {accuracy("accuracy", record.totals), kFourth},
      {rate > 0 ? speed(rate) : "", kFifth},
      {left ? concat(of_run, time_left_text(*left), " left") : "", kFirst}};
  const std::string line = fitted(parts, columns);
  constexpr int kShortest = 8, kLongest = 26;
  const int room = std::min(kLongest, columns - 1 - text_columns(line));
  if (room < kShortest) return line;
  parts[1].text = concat(bar(static_cast<double>(done) / tag.steps, room), ' ', count);
  return fitted(parts, columns);
}

void TrainingProgress::step(const StepRecord& record) {
  const Time now = screen_.now();
  left_.step(record.tag, now);
  if (screen_.show == Show::nothing || now < next_) return;
  wait_for_next(now);
  if (is_bar()) {
    line_.draw(step_line(record));
  } else {
    screen_.stream() << step_line(record) << std::endl;
  }
}

std::vector<LinePart> TrainingProgress::epoch_parts(const EpochRecord& record) const {
  const bool is_validated = record.validation && record.validation->samples > 0;
  std::vector<LinePart> parts = {{epoch_of(record.epoch), kAlways}};
  const auto add = [&](std::string text, int rank) { parts.push_back({std::move(text), rank}); };
  add(measure("loss", record.training.mean_loss()), is_validated ? kFourth : kSecond);
  add(accuracy("accuracy", record.training), is_validated ? kFifth : kThird);
  if (is_validated) {
    add(measure("val_loss", record.validation->mean_loss()), kSecond);
    add(accuracy("val_accuracy", *record.validation), kThird);
  }
  for (const auto& [name, value] : record.extra) {
    const bool is_told = name == "loss_scale" || name == "skipped_steps" || is_of_pruning(name) ||
                         (name == "val_accuracy" && run_.tells_accuracy);
    if (is_told) continue;
    // Of outputs that are no numbers the loss is none either.
    const bool is_undefined = std::isnan(value) && name.starts_with("val_") && is_validated &&
                              std::isfinite(record.validation->mean_loss());
    add(is_undefined ? shown(name) + " -" : measure(shown(name), value),
        name == "sparsity" ? kFifth : kFirst);
  }
  if (const double skipped = record.value("skipped_steps").value_or(0); skipped > 0) {
    add(concat(skipped, skipped == 1 ? " step" : " steps", " skipped, loss scale ",
               *record.value("loss_scale")),
        kFourth);
  }
  const double rate =
      record.training_s > 0 ? static_cast<double>(record.training.samples) / record.training_s : 0;
  add(speed(rate), kSeventh);
  add(duration_text(record.seconds), kSixth);
  if (record.holes > 0) add(concat(record.holes, " left out"), kFourth);
  return parts;
}

void TrainingProgress::epoch(const EpochRecord& record) {
  if (screen_.show == Show::nothing) return;
  line_.clear();
  const int columns = is_bar() ? std::max(1, screen_.line_columns()) : 0;
  screen_.stream() << fitted(epoch_parts(record), columns) << std::endl;
  print_pruning(record);
  wait_for_next(screen_.now());
}

void TrainingProgress::print_pruning(const EpochRecord& record) {
  std::string pruning = pruning_line(record);
  if (pruning == pruning_) return;  // no masks were made
  const std::string line = "  pruned " + pruning;
  screen_.stream() << (is_bar() ? shortened(line, screen_.line_columns()) : line) << std::endl;
  pruning_ = std::move(pruning);
}

}  // namespace millrace::apps
