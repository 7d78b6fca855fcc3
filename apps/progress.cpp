#include "apps/progress.h"

#include "apps/pruning_report.h"

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/core/shown_text.h>

#include <unistd.h>
#include <algorithm>
#include <iostream>
#include <utility>

namespace millrace::apps {
namespace {

constexpr const char* kClearLine = "\r\033[K";
constexpr auto kRedraw = std::chrono::milliseconds(100);

constexpr int kDigits = 4;

std::string bar(double share) {
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(share * kWidth);
  std::string text = "[";
  for (int i = 0; i < kWidth; ++i) text += i < filled ? '=' : i == filled ? '>' : ' ';
  return text + ']';
}

double since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

Show how_to_show(bool quiet) {
  if (quiet) return Show::nothing;
  return isatty(STDOUT_FILENO) != 0 ? Show::bar : Show::lines;
}

StallWatch stall_watch(double after_s) {
  return {.after_s = after_s, .tell = [](const std::string& line) {
            const char* const clear = isatty(STDERR_FILENO) != 0 ? kClearLine : "";
            std::cerr << concat(clear, "millrace: ", shown(line),
                                "; Ctrl-C stops, twice at once\n");
          }};
}

Counting::Counting(Show show, std::string text, std::string unit)
    : show_(show), text_(std::move(text)), unit_(std::move(unit)) {}

Counting::~Counting() {
  if (is_drawn_) std::cout << kClearLine << std::flush;
}

void Counting::operator()(std::uint64_t count) {
  const auto now = std::chrono::steady_clock::now();
  if (show_ != Show::bar || now < next_) return;
  next_ = now + kRedraw;
  is_drawn_ = true;
  std::cout << kClearLine << text_ << ": " << with_commas(count) << ' ' << unit_ << std::flush;
}

TrainingProgress::TrainingProgress(Show show, std::uint32_t epochs, std::int64_t batch,
                                   bool tells_accuracy)
    : show_(show), epochs_(epochs), batch_(batch), tells_accuracy_(tells_accuracy) {}

std::string TrainingProgress::accuracy(const char* name, const nn::StepResult& result) const {
  if (!tells_accuracy_) return {};
  return concat("  ", name, ' ', fixed(result.accuracy(), kDigits));
}

void TrainingProgress::step(const StepRecord& record) {
  const std::pair<std::uint32_t, Phase> phase{record.tag.epoch, record.tag.phase};
  if (phase != phase_) {  // the first record of it need not be of its first batch
    phase_ = phase;
    phase_begin_ = Clock::now();
    first_steps_ = record.tag.step + record.tag.count;
  }
  const auto now = Clock::now();
  if (show_ != Show::bar || now < next_) return;
  next_ = now + kRedraw;
  is_drawn_ = true;
  const double elapsed = since(phase_begin_);
  const std::uint32_t done = record.tag.step + record.tag.count;
  // The first steps started the clock, so they do not count.
  const std::uint32_t timed = done - std::min(done, first_steps_);
  const double rate = timed > 0 && elapsed > 0 ? timed * static_cast<double>(batch_) / elapsed : 0;
  const double left = rate > 0 ? (record.tag.steps - done) * static_cast<double>(batch_) / rate : 0;
  std::cout << kClearLine << "epoch " << record.tag.epoch + 1 << '/' << epochs_ << ' '
            << (record.tag.phase == Phase::training ? "" : "validation ")
            << bar(static_cast<double>(done) / record.tag.steps) << ' ' << done << '/'
            << record.tag.steps << "  loss " << fixed(record.totals.mean_loss(), kDigits)
            << accuracy("accuracy", record.totals) << "  "
            << with_commas(static_cast<std::uint64_t>(rate)) << " images/s  " << duration_text(left)
            << " left" << std::flush;
}

void TrainingProgress::epoch(const EpochRecord& record) {
  if (show_ == Show::nothing) return;
  if (is_drawn_) std::cout << kClearLine;
  is_drawn_ = false;
  std::cout << "epoch " << record.epoch + 1 << '/' << epochs_ << "  loss "
            << fixed(record.training.mean_loss(), kDigits) << accuracy("accuracy", record.training);
  if (record.validation && record.validation->samples > 0) {
    std::cout << "  val_loss " << fixed(record.validation->mean_loss(), kDigits)
              << accuracy("val_accuracy", *record.validation);
  }
  if (const auto sparsity = record.value("sparsity")) {
    std::cout << "  sparsity " << fixed(*sparsity, kDigits);
  }
  if (const double skipped = record.value("skipped_steps").value_or(0); skipped > 0) {
    std::cout << "  " << skipped << (skipped == 1 ? " step" : " steps") << " skipped, loss scale "
              << *record.value("loss_scale");
  }
  const double rate =
      record.training_s > 0 ? static_cast<double>(record.training.samples) / record.training_s : 0;
  std::cout << "  " << with_commas(static_cast<std::uint64_t>(rate)) << " images/s  "
            << duration_text(record.seconds);
  if (record.holes > 0) std::cout << "  " << record.holes << " left out";
  std::cout << std::endl;
  std::string pruning = pruning_line(record);
  if (pruning == pruning_) return;  // no masks were made
  std::cout << "  pruned " << pruning << std::endl;
  pruning_ = std::move(pruning);
}

void TrainingProgress::finish() {
  if (is_drawn_) std::cout << std::endl;
  is_drawn_ = false;
}

}  // namespace millrace::apps
