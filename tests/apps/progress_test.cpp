// What a person sees of progress, at a clock and a width of the test's own.

#include "apps/common/progress.h"
#include "apps/screen_text.h"
#include "catch.h"

#include <millrace/core/number_text.h>
#include <millrace/core/text_width.h>

#include <cmath>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace millrace;
using namespace millrace::test;
using apps::Show;
using Seconds = std::chrono::duration<double>;

namespace {

using Lines = std::vector<std::string>;

/// A screen, how wide it is and what the time is.
struct FakeScreen {
  explicit FakeScreen(int wide) : columns(wide), shown(wide) {}

  [[nodiscard]] apps::Screen screen(Show show = Show::bar) {
    apps::Screen screen(show);
    screen.out = &out;
    screen.columns = [this] { return columns; };
    screen.now = [this] { return time; };
    return screen;
  }
  void pass(double seconds) {
    time += std::chrono::duration_cast<apps::Screen::Clock::duration>(Seconds(seconds));
  }
  /// What was written since, put on the screen.
  const ScreenText& look() {
    shown.write(out.str());
    out.str("");
    return shown;
  }
  void resize(int wide) {
    look();
    columns = wide;
    shown.resize(wide);
  }

  int columns;
  ScreenText shown;
  std::ostringstream out;
  apps::Screen::Clock::time_point time{};
};

nn::StepResult result(double loss, double accuracy) {
  return {.loss_sum = loss * 1000,
          .weight_sum = 1000,
          .correct = std::llround(accuracy * 1000),
          .samples = 1000};
}

StepRecord step(std::uint32_t epoch, Phase phase, std::uint32_t number, std::uint32_t steps) {
  StepRecord record;
  record.tag = {.phase = phase, .epoch = epoch, .step = number, .steps = steps};
  record.totals = result(0.4512, 0.831);
  return record;
}

EpochRecord epoch(std::vector<std::pair<std::string, double>> extra = {}) {
  EpochRecord record;
  record.epoch = 1;
  record.training = result(0.4512, 0.831);
  record.validation = result(0.5021, 0.802);
  record.training_s = 0.1;
  record.seconds = 3.9;
  record.extra = std::move(extra);
  return record;
}

constexpr apps::RunSize kRun{
    .epochs = 5, .training_steps = 400, .validation_steps = 100, .batch = 32};

/// Training steps of an epoch up to `last`, a tenth of a second each.
void train_up_to(apps::TrainingProgress& progress, FakeScreen& fake, std::uint32_t last) {
  for (std::uint32_t i = 0; i < last; ++i) {
    fake.pass(0.1);
    progress.step(step(0, Phase::training, i, kRun.training_steps));
  }
}

std::string step_line_at(int columns) {
  FakeScreen fake(columns);
  apps::TrainingProgress progress(fake.screen(), kRun);
  train_up_to(progress, fake, 120);
  const Lines lines = fake.look().lines();
  CHECK(lines == Lines{fake.shown.line()});
  CHECK(fake.shown.wraps() == 0);
  CHECK(text_columns(lines.front()) < columns);
  return lines.front();
}

Lines epoch_lines_at(int columns, const EpochRecord& record, Show show = Show::bar) {
  FakeScreen fake(columns);
  apps::TrainingProgress progress(fake.screen(show), kRun);
  train_up_to(progress, fake, 120);
  progress.epoch(record);
  const Lines lines = fake.look().lines();
  if (show == Show::bar) CHECK(fake.shown.wraps() == 0);
  return lines;
}

}  // namespace

TEST_CASE("the line of a step has what the terminal has room for, the time of the run first") {
  // 280 steps of this epoch, 100 of its validation and 4 epochs of 500 are left at 0.1 s.
  CHECK(step_line_at(140) ==
        "epoch 1/5  [=======>                ] 120/400  loss 0.4512  accuracy 0.8310  "
        "320 images/s  run: 3 min 58 s left");
  CHECK(step_line_at(80) ==
        "epoch 1/5  [=>    ] 120/400  loss 0.4512  accuracy 0.8310  run: 3 min 58 s left");
  CHECK(step_line_at(40) == "epoch 1/5  120/400  3 min 58 s left");
  CHECK(step_line_at(30) == "epoch 1/5  3 min 58 s left");
  CHECK(step_line_at(12) == "epoch 1/5");
  CHECK(step_line_at(8) == "120/400");
  CHECK(step_line_at(7) == "epo...");
}

TEST_CASE("the line of an epoch has the measures that were asked for, also where it is narrow") {
  const EpochRecord record = epoch({{"val_auc", 0.9312}, {"val_f1", 0.7934}});
  const std::string all =
      "epoch 2/5  loss 0.4512  accuracy 0.8310  val_loss 0.5021  val_accuracy 0.8020  "
      "val_auc 0.9312  val_f1 0.7934  10,000 images/s  3.9 s";
  CHECK(epoch_lines_at(140, record) == Lines{all});
  CHECK(epoch_lines_at(80, record) ==
        Lines{"epoch 2/5  val_loss 0.5021  val_accuracy 0.8020  val_auc 0.9312  val_f1 0.7934"});
  CHECK(epoch_lines_at(40, record) == Lines{"epoch 2/5  loss 0.4512  val_auc 0.9312"});
  CHECK(epoch_lines_at(40, epoch()) == Lines{"epoch 2/5  loss 0.4512  val_loss 0.5021"});
  std::ostringstream plain;
  FakeScreen fake(40);
  apps::TrainingProgress progress(fake.screen(Show::lines), kRun);
  progress.epoch(record);
  CHECK(fake.out.str() == all + '\n');
}

TEST_CASE("the line of an epoch tells measures, trouble and sparsity once each") {
  EpochRecord record = epoch({{"val_accuracy", 0.802},
                              {"sparsity", 0.5},
                              {"dense1/sparsity", 0.5},
                              {"dense1/threshold", 0.0213},
                              {"loss_scale", 1024},
                              {"skipped_steps", 3},
                              {"mine", 1.25e-7},
                              {"huge", 2.5e9},
                              {"nothing", std::nan("")}});
  record.holes = 4;
  CHECK(epoch_lines_at(250, record) ==
        Lines{"epoch 2/5  loss 0.4512  accuracy 0.8310  val_loss 0.5021  val_accuracy 0.8020  "
              "sparsity 0.5000  mine 1.25e-07  huge 2.5e+09  nothing nan  "
              "3 steps skipped, loss scale 1024  10,000 images/s  3.9 s  4 left out",
              "  pruned dense1 0.5000 below 0.0213"});
  CHECK(epoch_lines_at(30, record)[1] == "  pruned dense1 0.5000 bel...");
}

TEST_CASE("a terminal that gets narrower has nothing left of the longer line") {
  FakeScreen fake(140);
  apps::TrainingProgress progress(fake.screen(), kRun);
  train_up_to(progress, fake, 120);
  fake.resize(40);
  CHECK(fake.shown.lines().size() == 3);  // as the terminal broke it
  fake.pass(0.1);
  progress.step(step(0, Phase::training, 120, kRun.training_steps));
  CHECK(fake.look().lines() == Lines{"epoch 1/5  121/400  3 min 58 s left"});
  fake.resize(80);
  fake.pass(0.1);
  progress.step(step(0, Phase::training, 121, kRun.training_steps));
  CHECK(fake.look().lines() ==
        Lines{"epoch 1/5  [=>    ] 122/400  loss 0.4512  accuracy 0.8310  run: 3 min 58 s left"});
  fake.resize(20);
  progress.finish();
  CHECK(fake.look().lines().empty());
  CHECK(fake.shown.wraps() == 0);
}

TEST_CASE("the time left is that of the run, through training and validation") {
  // Steps of 1 s and of 0.2 s, with half a second before each phase.
  constexpr std::uint32_t kEpochs = 4, kSteps = 10, kValidation = 5;
  const double epoch_s = kSteps * 1.0 + kValidation * 0.2 + 2 * 0.5;
  apps::TimeLeft left(kEpochs, kSteps, kValidation);
  CHECK_FALSE(left.seconds());
  double now = 0;
  const auto at = [&] {
    return apps::TimeLeft::Time() +
           std::chrono::duration_cast<apps::TimeLeft::Time::duration>(Seconds(now));
  };
  for (std::uint32_t e = 0; e < kEpochs; ++e) {
    for (const Phase phase : {Phase::training, Phase::validation}) {
      const std::uint32_t steps = phase == Phase::training ? kSteps : kValidation;
      now += 0.5;
      for (std::uint32_t i = 0; i < steps; ++i) {
        now += phase == Phase::training ? 1.0 : 0.2;
        left.step(step(e, phase, i, steps).tag, at());
        INFO("epoch " << e << ", step " << i << " of " << steps);
        if (e < 2) continue;  // by then all of it was timed
        CHECK(left.seconds().value() == Approx(kEpochs * epoch_s - now).margin(1e-6));
      }
    }
    // Before validation was timed, its steps count as those of training.
    if (e == 0) CHECK(left.seconds().value() == Approx(3 * epoch_s).epsilon(0.1));
  }
  CHECK(left.seconds().value() == Approx(0).margin(1e-6));
  CHECK(left.rate() == Approx(5));
}

TEST_CASE("the time left is known where epochs are a step each") {
  apps::TimeLeft left(10, 1, 0);
  const auto at = [](int seconds) {
    return apps::TimeLeft::Time() + std::chrono::seconds(seconds);
  };
  left.step(step(0, Phase::training, 0, 1).tag, at(5));
  CHECK_FALSE(left.seconds());
  left.step(step(1, Phase::training, 0, 1).tag, at(8));
  CHECK(left.seconds().value() == Approx(8 * 3));
}

TEST_CASE("a run that goes on within validation counts the training that is to come") {
  apps::TimeLeft left(3, 100, 20);
  const auto at = [](int seconds) {
    return apps::TimeLeft::Time() + std::chrono::seconds(seconds);
  };
  for (int i = 10; i < 20; ++i) {
    left.step(step(1, Phase::validation, static_cast<std::uint32_t>(i), 20).tag, at(i));
  }
  CHECK(left.seconds().value() == Approx(120));
}

TEST_CASE("where lines are kept, an epoch is one, and a long one has few more") {
  FakeScreen fake(80);
  apps::TrainingProgress progress(fake.screen(Show::lines), kRun);
  train_up_to(progress, fake, 400);
  CHECK(fake.out.str().empty());  // 40 s
  progress.epoch(epoch());
  CHECK(fake.look().lines().size() == 2);  // too wide for this screen

  FakeScreen slow(200);
  constexpr std::uint32_t kSteps = 36'000;  // ten hours
  apps::TrainingProgress long_run(slow.screen(Show::lines),
                                  {.epochs = 1, .training_steps = kSteps, .batch = 32});
  std::vector<double> times;
  for (std::uint32_t i = 0; i < kSteps; ++i) {
    slow.pass(1);
    long_run.step(step(0, Phase::training, i, kSteps));
    if (slow.out.str().empty()) continue;
    times.push_back(i + 1);
    CHECK(slow.out.str().find('\033') == std::string::npos);
    CHECK(slow.out.str().find('\r') == std::string::npos);
    slow.look();
  }
  CHECK(slow.look().lines().front() ==
        "epoch 1/1  60/36000  loss 0.4512  accuracy 0.8310  32 images/s  run: 9 h 59 min left");
  CHECK(times.size() < 100);
  CHECK(times.front() == 60);
  for (std::size_t i = 1; i < times.size(); ++i) {
    CHECK(times[i] - times[i - 1] >= 60);
    CHECK(times[i] - times[i - 1] <= 600);
  }
}

TEST_CASE("a count with wide and combining characters in its name fits, and goes without a trace") {
  const int columns = GENERATE(20, 40, 80, 140);
  FakeScreen fake(columns);
  {
    apps::Counting counting(fake.screen(),
                            "reading /data/\u732b\u3068\u72ac\u732b\u3068\u72ac/cafe\u0301/"
                            "\u5199\u771f/a folder with a long name",
                            "files");
    counting(12'345);
    CHECK(fake.look().wraps() == 0);
    CHECK(fake.shown.lines() == Lines{fake.shown.line()});
    CHECK(text_columns(fake.shown.line()) < columns);
    if (columns >= 40) CHECK(fake.shown.line().ends_with("long name: 12,345 files"));
    counting(12'346);  // in the same tenth of a second
    CHECK(fake.out.str().empty());
    fake.pass(0.1);
    counting(12'347);
    CHECK(fake.look().lines().size() == 1);
  }
  CHECK(fake.look().lines().empty());
}
