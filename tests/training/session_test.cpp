// Training as a library: what a user's program writes, and what it gets.
#include "catch.h"
#include "io/scratch.h"
#include "nodes/numbered.h"

#include <millrace/cpu/engine.h>
#include <millrace/training/session.h>

#include <set>
#include <sstream>

using namespace millrace;
using Catch::Contains;
using test::Scratch;

namespace {

/// Rows of two classes that are easily told apart.
TrainSpec small_spec(const Scratch& scratch) {
  std::string rows = "x,y,class\n";
  for (int i = 0; i < 60; ++i) {
    rows += concat(i % 2 == 0 ? 1 : -1, ',', i % 7, i % 2 == 0 ? ",0\n" : ",1\n");
  }
  return {.data = {.path = scratch.write("rows.csv", rows).string()},
          .model = {.name = "mlp:4"},
          .epochs = 4,
          .batch = 8,
          .labels = {.class_names = {"left", "right"}},
          .machine = {.threads = 1, .memory_budget = 256_MiB}};
}

std::shared_ptr<const nn::Engine> engine() {
  return cpu::make_engine({.threads = 1});
}

std::set<std::string> files_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

}  // namespace

TEST_CASE("a session trains what its spec says, and writes nothing that it does not name") {
  const Scratch scratch;
  TrainSpec spec = small_spec(scratch);
  spec.optimizer.learning_rate = 0.05;
  TrainingSession session(spec, engine());
  std::ostringstream plan;
  plan << session.plan();
  CHECK_THAT(plan.str(), Contains("decode") && Contains("train") && Contains("host batches"));
  const TrainingResult result = session.run();
  CHECK(result.epochs.size() == 4);
  CHECK(result.best().validation->accuracy() > 0.9);
  CHECK(result.reason.empty());
  CHECK(session.directory() == nullptr);
  CHECK_THROWS_WITH(session.run(), Contains("a session runs once"));
  CHECK(files_in(scratch.path()) == std::set<std::string>{"rows.csv"});
  session.save(scratch / "rows.safetensors");
  CHECK(load_model(scratch / "rows.safetensors").model.classes ==
        std::vector<std::string>{"left", "right"});
}

TEST_CASE("a session tells what was chosen where its spec is open") {
  const Scratch scratch;
  const TrainingSession session(small_spec(scratch), engine());
  CHECK(session.spec().optimizer.learning_rate == 0.001);
  CHECK(session.spec().machine.device == Device::cpu);
  CHECK(session.spec().machine.precision == nn::Precision::fp32);
}

TEST_CASE("a run directory can be gone on with, to the bits of a run that did not end") {
  const Scratch scratch;
  TrainSpec spec = small_spec(scratch);
  spec.run.directory = scratch / "whole";
  TrainingSession(spec, engine()).run();
  spec.run.directory = scratch / "run";
  spec.epochs = 2;
  TrainingSession(spec, engine()).run();
  TrainingSession more = TrainingSession::resume(scratch / "run", engine(),
                                                 [](TrainSpec& changed) { changed.epochs = 4; });
  const TrainingResult result = more.run();
  CHECK(result.epochs.size() == 4);
  CHECK(read_file(scratch / "run/model.safetensors") ==
        read_file(scratch / "whole/model.safetensors"));
  TrainingSession again = TrainingSession::resume(scratch / "whole", engine());
  CHECK_THAT(again.run().reason, Contains("all 4 epochs are trained"));
}

TEST_CASE("a session stops when it is asked to, and its watchers see each epoch and step") {
  const Scratch scratch;
  TrainSpec spec = small_spec(scratch);
  std::stop_source source;
  std::vector<std::uint32_t> epochs;
  std::uint64_t steps = 0;
  TrainingSession session(spec, engine());
  const TrainingResult result =
      session.run(source.get_token(), {.on_step = [&](const StepRecord&) { ++steps; },
                                       .on_epoch =
                                           [&](const EpochRecord& epoch) {
                                             epochs.push_back(epoch.epoch);
                                             if (epoch.epoch == 1) source.request_stop();
                                           }});
  CHECK(result.stopped);
  CHECK(epochs.size() >= 2);
  CHECK(steps >= 2 * 6);
}

TEST_CASE("a spec that cannot be meant is refused in one line before anything is opened") {
  const Scratch scratch;
  const auto refused = [&](const auto& change, const std::string& why) {
    TrainSpec spec = small_spec(scratch);
    change(spec);
    CHECK_THROWS_WITH(TrainingSession(spec, engine()), Contains(why));
  };
  refused([](TrainSpec& s) { s.epochs = 0; }, "--epochs must be 1 or more, not 0");
  refused([](TrainSpec& s) { s.data.path.clear(); }, "no DATA");
  refused([](TrainSpec& s) { s.data.path = "/nowhere/at/all"; }, "/nowhere/at/all");
  refused([](TrainSpec& s) { s.schedule.kind = nn::ScheduleKind::piecewise; },
          "needs --milestones");
  refused([](TrainSpec& s) { s.callbacks.monitor = "val_luck"; }, "val_luck");
  refused([](TrainSpec& s) { s.callbacks.restore_best = true; },
          "--restore-best has no effect without --patience");
  refused([](TrainSpec& s) { s.images.channels = 7; }, "--channels must be 1 or 3, not 7");
  CHECK_THROWS_WITH(TrainingSession(small_spec(scratch), std::shared_ptr<const nn::Engine>()),
                    Contains("needs an engine"));
}

TEST_CASE("batches of a graph of one's own are trained on as the session's are") {
  const Scratch scratch;
  TrainSpec spec = small_spec(scratch);
  TrainingSession whole(spec, engine());
  const TrainingResult expected = whole.run();
  TrainingSession session(spec, engine());
  const FeedOptions& feed = session.training().feed->options();
  Pipeline p({.name = "mine", .budget = 256_MiB, .threads = 1});
  auto host = p.pool<HostBatch>(
      "mine", 2,
      HostBatchFactory{
          .sample = session.training().model.input, .dtype = DType::f32, .capacity = 8});
  auto batches = add_decoding(p, host, DirectoryReader(feed.training, feed.validation, feed.order),
                              feed.decoding);
  std::vector<double> losses;
  train_on(p, batches, session, {.on_epoch = [&](const EpochRecord& epoch) {
             losses.push_back(epoch.training.mean_loss());
           }});
  session.allocate();
  p.run();
  CHECK(losses.size() == 4);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CHECK(losses[i] == expected.epochs[i].training.mean_loss());
  }
}

TEST_CASE("a run that goes on does not take another model in silence") {
  const Scratch scratch;
  TrainSpec spec = small_spec(scratch);
  spec.run.directory = scratch / "run";
  spec.epochs = 1;
  TrainingSession(spec, engine()).run();
  CHECK_THROWS_WITH(
      TrainingSession::resume(scratch / "run", engine(),
                              [](TrainSpec& changed) { changed.model.name = "mlp:9"; }),
      Contains("the model is not the one that the run began with"));
  TrainingSession more = TrainingSession::resume(scratch / "run", engine(),
                                                 [](TrainSpec& changed) { changed.epochs = 2; });
  CHECK_THROWS_WITH(more.write_into(scratch / "other"), Contains("its own directory"));
  CHECK(more.run().epochs.size() == 2);
  CHECK_THROWS_WITH(TrainingSession::resume(scratch / "nothing", engine()),
                    Contains("holds no run to resume"));
}

TEST_CASE("a request to stop ends a session before its first step too") {
  const Scratch scratch;
  TrainSpec spec = small_spec(scratch);
  spec.data.replay = 2;
  std::stop_source source;
  source.request_stop();
  CHECK_THROWS_AS(TrainingSession(spec, engine()).run(source.get_token()), Stopped);
}
