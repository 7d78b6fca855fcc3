// Kept features of runs that go on, in memory and in a file of the run.

#include "apps/images.h"
#include "training/feature_runs.h"

#include <filesystem>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr const char* kFile = "features.safetensors";

/// A run of `epochs` on files, which tests can change.
TrainSpec run_spec(const Scratch& scratch, const std::string& name, std::uint32_t epochs) {
  const fs::path weights = scratch / "net.safetensors", data = scratch / "data";
  if (!fs::exists(weights)) save_network(weights, small_network());
  if (!fs::exists(data)) write_classes(data, {"a", "b", "c"}, 11, 8);
  TrainSpec spec = frozen_spec(weights);
  spec.data.path = data.string();
  spec.epochs = epochs;
  spec.run.directory = scratch / name;
  return spec;
}

Trained gone_on(const fs::path& run, std::uint32_t epochs,
                const std::function<void(TrainSpec&)>& change = {}) {
  TrainingSession session = TrainingSession::resume(run, feature_engine(), [&](TrainSpec& spec) {
    spec.epochs = epochs;
    if (change) change(spec);
  });
  return run_session(session);
}

}  // namespace

TEST_CASE("a run that goes on with kept features ends with the bits of one that did not end") {
  const Scratch scratch;
  const FeatureCache where = GENERATE(FeatureCache::memory, FeatureCache::file);
  TrainSpec spec = run_spec(scratch, "whole", 4);
  spec.model.cache_features = where;
  (void)train_with(spec);
  spec.epochs = 2;
  spec.run.directory = scratch / "run";
  (void)train_with(spec);
  fs::remove(scratch / "net.safetensors");  // the checkpoint has the weights
  CHECK(fs::exists(scratch / "run" / kFile) == (where == FeatureCache::file));
  const Trained trained = gone_on(scratch / "run", 4);
  CHECK_THAT(trained.loaded, where == FeatureCache::file
                                 ? Contains("as they were computed before: 33 samples")
                                 : Contains("33 samples, 6 numbers each in fp32"));
  for (const char* file : {"model.safetensors", "best.safetensors"}) {
    CHECK(read_file(scratch / "run" / file) == read_file(scratch / "whole" / file));
  }
}

TEST_CASE("a checkpoint of kept features goes on without them, and the other way round") {
  const Scratch scratch;
  const Trained whole = train_with(run_spec(scratch, "whole", 4));
  const bool begins_with = GENERATE(true, false);
  TrainSpec spec = run_spec(scratch, "run", 2);
  if (!begins_with) spec.model.cache_features = FeatureCache::no;
  (void)train_with(spec);
  const Trained mixed = gone_on(scratch / "run", 4, [&](TrainSpec& changed) {
    changed.model.cache_features = begins_with ? FeatureCache::no : FeatureCache::memory;
  });
  CHECK(mixed.features.empty() == begins_with);
  check_near(mixed, whole, 2e-5);
}

TEST_CASE("a file of features that is of something else is computed again, with a word") {
  const Scratch scratch;
  TrainSpec spec = run_spec(scratch, "run", 2);
  spec.model.cache_features = FeatureCache::file;
  (void)train_with(spec);
  const fs::path file = scratch / "run" / kFile;

  SECTION("an image changed") {
    write_image(scratch / "data/b/3.png", 77, 5, 8);
    CHECK_THAT(gone_on(scratch / "run", 3).loaded,
               Contains("is of other data, so computed again: 33 samples"));
  }
  SECTION("the file is of other weights") {
    save_network(scratch / "net.safetensors", small_network(), 99);
    TrainSpec other = spec;
    other.run.directory = scratch / "other";
    (void)train_with(other);
    fs::copy_file(scratch / "other" / kFile, file, fs::copy_options::overwrite_existing);
    CHECK_THAT(gone_on(scratch / "run", 3).loaded, Contains("is of other weights, so computed"));
  }
  SECTION("an option of reading changed") {
    CHECK_THAT(
        gone_on(scratch / "run", 3, [](TrainSpec& s) { s.data.max_image_pixels = 100'000; }).loaded,
        Contains("is of other options"));
  }
  SECTION("augmentation came to it") {
    CHECK_THAT(gone_on(scratch / "run", 3,
                       [](TrainSpec& s) {
                         s.augmentation.horizontal_flip = true;
                         s.augmentation.views = 1;
                       })
                   .loaded,
               Contains("is of other options"));
  }
  SECTION("the file is damaged") {
    fs::resize_file(file, fs::file_size(file) / 2);
    CHECK_THAT(gone_on(scratch / "run", 3).loaded, Contains("so computed again"));
  }
  SECTION("the file is gone") {
    fs::remove(file);
    CHECK_THAT(gone_on(scratch / "run", 3).loaded, !Contains("again"));
  }
  CHECK(fs::exists(file));
  // It is right again.
  CHECK_THAT(gone_on(scratch / "run", 4).loaded, Contains("as they were computed before"));
}

TEST_CASE("images that cannot be read are left out of kept features once, and of each epoch") {
  const Scratch scratch;
  TrainSpec spec = run_spec(scratch, "run", 3);
  scratch.write("data/a/4.png", "no image");
  spec.data.on_bad_image = BadImages::skip;
  spec.model.cache_features = GENERATE(FeatureCache::memory, FeatureCache::file);
  spec.machine.compute_threads = 1;
  const auto holes = [&](const TrainSpec& of) {
    TrainingSession session(of, feature_engine());
    std::vector<std::int64_t> counts;
    for (const EpochRecord& epoch : session.run().epochs) counts.push_back(epoch.holes);
    return counts;
  };
  const std::vector<std::int64_t> kept = holes(spec);
  spec.model.cache_features = FeatureCache::no;
  spec.run.directory = scratch / "plain";
  CHECK(kept == holes(spec));
  CHECK(kept == std::vector<std::int64_t>{1, 1, 1});
}

TEST_CASE("frozen layers are computed once until they train, and then as without a cache") {
  const Scratch scratch;
  TrainSpec spec = run_spec(scratch, "whole", 5);
  spec.model.unfreeze_at = 3;
  spec.model.unfreeze_factor = 0.3;
  spec.schedule = {.kind = nn::ScheduleKind::cosine};  // of all steps of the run
  const Trained whole = train_with(spec);
  CHECK_THAT(whole.features, Contains("are computed once") && Contains("until epoch 3"));
  TrainSpec plain = spec;
  plain.run.directory = scratch / "plain";
  plain.model.cache_features = FeatureCache::no;
  check_near(whole, train_with(plain), 5e-5);

  // Whenever it ended, it goes on to the same bits: before that epoch, at its beginning, behind it.
  const std::uint32_t epochs = GENERATE(1, 2, 3);
  CAPTURE(epochs);
  spec.run.directory = scratch / "run";
  spec.epochs = epochs;
  spec.decay_steps = 20;  // of 4 batches, 5 epochs
  (void)train_with(spec);
  const Trained more = gone_on(scratch / "run", 5);
  CHECK(more.loaded.empty() == (epochs >= 2));
  CHECK(read_file(scratch / "run/model.safetensors") ==
        read_file(scratch / "whole/model.safetensors"));
}
