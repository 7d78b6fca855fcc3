// Two models that train in one pipeline at once, each on an engine's thread of its own.

#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/cpu/engine.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/training/logger.h>
#include <millrace/training/train_step.h>

#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>

using namespace millrace;

namespace {

constexpr std::uint32_t kEpochs = 3;

nn::Model model_of(const std::string& name) {
  nn::ModelBuilder builder(name, {6, 6, 1});
  if (name == "wide") return builder.flatten().dense(24).relu().dense(1).sigmoid().build();
  return builder.conv(3).relu().flatten().dense(1).sigmoid().build();
}

/// What a model had become and the threads that trained it.
struct Trained {
  std::vector<float> weights;
  std::vector<double> losses;
  std::set<std::thread::id> threads;
};

/// All models of these names, on the same batches.
std::map<std::string, Trained> train(const std::vector<std::string>& names) {
  const auto data = std::make_shared<const Numbered>(100, Shape{6, 6, 1});
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  Pipeline p{{.name = "models", .budget = 64_MiB, .threads = 2}};
  auto host = p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = {6, 6, 1}, .capacity = 16});
  auto tickets = p.source("list", host,
                          DirectoryReader(SampleSet::all(data), SampleSet::all(data),
                                          {.batch = 16, .epochs = kEpochs, .seed = 5}));
  auto pixels = p.then(tickets, "decode", DecodeInto(data, data, Filter::nearest));
  auto batches = p.then(p.gather(pixels), "batch", Batcher{});

  std::map<std::string, Trained> trained;
  std::map<std::string, std::shared_ptr<nn::Executor>> executors;
  for (const std::string& name : names) {
    const nn::Model model = model_of(name);
    executors[name] = make_executor(
        p, *engine, model,
        {.batch = 16, .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 0.01}}, 7);
    auto device = p.pool<DeviceBatch>(name + " device", 2,
                                      DeviceBatchFactory{engine, model.input, DType::u8, 16});
    auto copied =
        p.then(p.with(batches, name + " slot", device), name + " copy", CopyToDevice(engine));
    auto inputs = p.then(copied, name + " cast", Cast(model.preprocessing, model.input));
    auto steps = p.then(inputs, {.name = name + " train", .on = On::engine, .lane = name},
                        TrainStep(executors[name]));
    Trained& outcome = trained[name];
    p.sink(steps, {.name = name + " note", .on = On::engine, .lane = name},
           [&outcome](const StepRecord& record) {
             outcome.threads.insert(std::this_thread::get_id());
             if (record.epoch) outcome.losses.push_back(record.epoch->validation->mean_loss());
           });
  }
  (void)p.run();
  for (const std::string& name : names) {
    std::vector<float>& weights = trained[name].weights;
    weights.resize(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model_of(name)))));
    executors[name]->read(nn::Arena::parameters, weights);
  }
  return trained;
}

}  // namespace

TEST_CASE("two models in one pipeline become what each becomes alone, on threads of their own") {
  std::map<std::string, Trained> both = train({"wide", "convnet"});
  for (const std::string name : {"wide", "convnet"}) {
    INFO(name);
    const Trained alone = std::move(train({name})[name]);
    CHECK(both[name].weights == alone.weights);
    CHECK(both[name].losses == alone.losses);
    REQUIRE(alone.losses.size() == kEpochs);
    CHECK(alone.losses.back() < alone.losses.front());
    CHECK(both[name].threads.size() == 1);
  }
  CHECK(both["wide"].threads != both["convnet"].threads);
}

TEST_CASE("a model that does not fit the budget of its pipeline is refused before it is made") {
  const auto engine = cpu::make_engine({.threads = 1});
  Pipeline p{{.name = "small", .budget = 100_KiB}};
  const nn::Model large =
      nn::ModelBuilder("large", {64, 64, 3}).flatten().dense(500).relu().dense(1).sigmoid().build();
  CHECK_THROWS_AS(make_executor(p, *engine, large), BudgetError);
  CHECK_THROWS_WITH(make_executor(p, *engine, large), Catch::Contains("model: parameters"));
  Pipeline enough{{.name = "enough", .budget = 1_GiB}};
  const auto executor = make_executor(enough, *engine, large, {}, 3);
  Bytes charged;
  for (const auto& charge : enough.plan().charges) charged += charge.total();
  CHECK(charged == nn::total(executor->memory()));
}
