// config.ini of runs that an older program wrote: it had flags under each of their names and in
// their form with no-, numbers with 17 digits, sizes as they are printed, and what has no effect.

#include "catch.h"
#include "io/scratch.h"

#include <millrace/training/options/options.h>
#include <millrace/training/recipe.h>

using namespace millrace;
using test::Scratch;

namespace {

/// All keys that such a program wrote, but for those of a table.
constexpr const char* kOlder =
    R"(# Run this again with: millrace train --recipe runs/1/config.ini --run-dir OTHER
data = /photos/P h #1
validation-share = 0.20000000000000001
size = 12x12
channels = 3
mean = 0.1,0.2,0.3
on-bad-image = fail
bad-image-limit = 0
max-image-pixels = 178956970
limit-batches = 0
replay = 0
resident = false
no-exif-orientation = false
background = white
featurewise-center = false
featurewise-std = false
samplewise-center = false
samplewise-std = false
zca = false
zca-epsilon = 9.9999999999999995e-07
fit-samples = 0
show-augmented = 0
class-weight = balanced
model = mlp:4
initializer = glorot_uniform
unfreeze-at = 0
unfreeze-factor = 0.10000000000000001
epochs = 1
batch = 5
accumulate = 1
steps-per-epoch = 0
optimizer = sgd
learning-rate = 0.01
momentum = 0.90000000000000002
nesterov = true
beta1 = 0.90000000000000002
beta2 = 0.999
epsilon = 0
weight-decay = 0
seed = 1
no-shuffle = true
schedule = step
decay-steps = 3
decay-rate = 0.5
end-factor = 0
power = 1
staircase = false
cycle = false
restart-growth = 2
restart-factor = 1
warmup-steps = 0
warmup-from = 0
label-smoothing = 0
l2 = 0
clip-value = 0
clip-norm = 0
clip-global-norm = 0
rotation-range = 0
width-shift-range = 0,1,2
height-shift-range = 3
shear-range = 2.5
zoom-range = 0.2
channel-shift-range = 0
flip = false
horizontal-flip = true
vertical-flip = false
fill-mode = nearest
cval = 0
interpolation-order = 1
keras-compat = false
crop-padding = 0
metrics = f1
monitor = val_accuracy
monitor-mode = auto
patience = 3
min-delta = 0
start-from-epoch = 0
restore-best = false
plateau-factor = 0.10000000000000001
plateau-min-delta = 0.0001
plateau-cooldown = 0
min-learning-rate = 0
no-stop-on-nan = false
checkpoint-every = 0
keep-checkpoints = 2
no-checkpoints = false
csv-log = /photos/c #2.csv
no-events = true
tensorboard-update = 0
prune = polynomial
prune-initial-sparsity = 0
prune-final-sparsity = 0.5
prune-begin = 0
prune-end = 4
prune-frequency = 100
prune-power = 3
prune-exclude = dense1
device = cpu
threads = 2
compute-threads = 2
memory-budget = 11.8 GiB
slots = 3
stall-timeout = 60
report-every = 1
no-profile = true
)";

struct Loaded {
  TrainSpec spec;
  OptionList options;
  std::vector<std::string> dropped;
};

std::unique_ptr<Loaded> load(const std::string& text) {
  const Scratch scratch;
  scratch.write("config.ini", text);
  auto loaded = std::make_unique<Loaded>();
  list(loaded->options, loaded->spec);
  read_recipe(scratch / "config.ini", loaded->options);
  loaded->dropped = loaded->options.settle();
  check(loaded->spec);
  return loaded;
}

}  // namespace

TEST_CASE("config.ini of an older program means what it meant") {
  const auto loaded = load(kOlder);
  const TrainSpec& o = loaded->spec;
  CHECK(loaded->dropped.size() == 2);  // --beta1 and --beta2, which sgd has not
  CHECK(o.data.path == "/photos/P h #1");
  CHECK(o.run.csv_log == "/photos/c #2.csv");
  CHECK(o.data.validation_share == 0.2);
  CHECK(o.images.zca_epsilon == 1e-6);
  CHECK((o.images.size->height == 12 && o.images.size->width == 12));
  CHECK(o.images.mean == std::vector{0.1F, 0.2F, 0.3F});
  CHECK(o.images.exif_orientation);
  CHECK(o.augmentation.horizontal_flip);  // by one of its names
  CHECK_FALSE(o.shuffle);
  CHECK(o.callbacks.stop_on_nan);
  CHECK(o.run.checkpoints);
  CHECK_FALSE(o.run.events);
  CHECK_FALSE(o.machine.profile);
  CHECK(o.optimizer.kind == nn::OptimizerKind::sgd);
  CHECK(o.optimizer.nesterov);
  CHECK(o.optimizer.momentum == 0.9);
  CHECK(o.schedule.kind == nn::ScheduleKind::step);
  CHECK(o.decay_steps == 3);
  CHECK(o.callbacks.patience == 3);
  CHECK(o.augmentation.zoom_range.low == 0.8);
  CHECK(o.pruning.kind == nn::PruneKind::polynomial);
  CHECK(o.pruning.end == 4);
  CHECK(o.pruning.exclude == std::vector<std::string>{"dense1"});
  CHECK(o.machine.memory_budget == Bytes{12670153523});  // 11.8 * 2^30, cut
  CHECK(o.machine.device == Device::cpu);
}

TEST_CASE("what is written of an older config.ini reads back the same") {
  const auto loaded = load(kOlder);
  const std::string text = recipe_text(loaded->options);
  CHECK(recipe_text(load(text)->options) == text);
}

TEST_CASE("what had no effect in a run of an older program is left out with a note") {
  const auto loaded = load(
      "data = d\noptimizer = adam\nmomentum = 0.9\nrestore-best = true\nplateau-factor = 0.5\n"
      "cval = 20\nbad-image-limit = 3\n");
  CHECK(loaded->dropped.size() == 5);
  CHECK(loaded->spec.optimizer.momentum == 0);
  CHECK_FALSE(loaded->spec.callbacks.restore_best);
}

TEST_CASE("values that are empty in a config.ini are as if they were not said") {
  const auto loaded = load(
      "data = d\nvalidation =\npart = \nmean =\ndeviation =\nclass-weight =\nclass-names =\n"
      "weights =\nfreeze =\nhead =\nmetrics =\nmonitor =\nmilestones =\nprune-include =\n"
      "csv-log =\nlabel-column =\npreprocessing =\nmodel =\nsize =\nfilter =\nbackground =\n"
      "class-mode =\nheader =\nseparator =\nflatten-order =\nloss =\nwidth-shift-range =\n"
      "zoom-range =\nbrightness-range =\nprune =\nprecision =\nmemory-budget =\n");
  CHECK(recipe_text(loaded->options) == recipe_text(load("data = d\n")->options));
}

TEST_CASE("names of classes in a config.ini are a file or the names themselves") {
  const Scratch scratch;
  const auto file = scratch.write("n m #1.txt", "cat\ndog, hot\n");
  const std::vector<std::string> names = {"cat", "dog, hot"};
  CHECK(load("class-names = " + file.string() + '\n')->spec.labels.class_names == names);
  CHECK(load("class-names = cat,dog\\, hot\n")->spec.labels.class_names == names);
}
