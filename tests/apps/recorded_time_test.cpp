// The time that a run of the training pipeline takes, with made-up durations on a virtual clock:
// the slowest stage's, or reading, copying and computing do not overlap.

#include "apps/recorded_run.h"
#include "apps/recorded_training.h"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr int kBatches = 48;
constexpr int kReaders = 2;

/// A run of kBatches steps whose results are asked for after each `report_every`; 0: as the program
/// composes it, with all stages behind the step, and the model read at the end of each epoch.
RecordedRun run_of(int host_slots, int device_slots, std::int64_t report_every) {
  const Scratch scratch;
  // A ticket names 2 images of this size, so that two threads read a batch.
  TrainSpec options = options_for(write_images(scratch, 8, 48), "mlp:4");
  options.machine.slots = host_slots;
  options.epochs = kBatches / 4;
  options.machine.threads = kReaders;
  const RecordedTraining recorded(options);
  recorded.allocate();
  recorded.device->clear();
  Pipeline pipeline = report_every == 0 ? compose_training(recorded.training, {}, {})
                                        : compose_steps(recorded, device_slots, report_every);
  (void)pipeline.run();
  recorded.check_device();
  return RecordedRun(recorded.device->record());
}

/// How much longer the run takes than its slowest stage.
double stretch(const RecordedRun& run, const Durations& durations) {
  const double slowest = std::max({durations.reading, durations.copying, durations.computing});
  return run.play(durations, kReaders) / (slowest * static_cast<double>(run.batches().size()));
}

void check_overlap(const RecordedRun& run) {
  CHECK(run.batches().size() == kBatches);
  for (const std::string& line : run.broken()) FAIL_CHECK(line);
  const double slow_reading =
      stretch(run, {.reading = 1, .copying = 0.9, .casting = 0.05, .computing = 0.9});
  const double slow_copying =
      stretch(run, {.reading = 0.9, .copying = 1, .casting = 0.05, .computing = 0.9});
  const double slow_steps =
      stretch(run, {.reading = 0.9, .copying = 0.9, .casting = 0.05, .computing = 1});
  for (const double factor : {slow_reading, slow_copying, slow_steps}) {
    CHECK(factor >= 1);
    CHECK(factor <= 1.05);
  }
}

}  // namespace

TEST_CASE("a training run takes the time of its slowest stage, whichever that is") {
  const std::int64_t report_every = GENERATE(0, 1, 10, 1000);
  INFO("report every " << report_every);
  const RecordedRun run = run_of(3, 2, report_every);
  CHECK(run.host_slots() == 3);
  CHECK(run.device_slots() == 2);
  check_overlap(run);
}

TEST_CASE("with one host slot or one device slot, stages wait for each other") {
  const Durations durations{.reading = 0.9, .copying = 0.9, .casting = 0.05, .computing = 1};
  CHECK(stretch(run_of(1, 2, 1000), durations) > 1.5);
  CHECK(stretch(run_of(3, 1, 1000), durations) > 1.5);
}
