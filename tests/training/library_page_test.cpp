// The code of docs/library.md, run. A test of tests/scripts compares the page with this file.

#include "catch.h"
#include "io/scratch.h"
#include "nodes/numbered.h"

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/io/class_folder.h>
#include <millrace/io/png.h>
#include <millrace/nn/make_executor.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/nodes/each_row.h>
#include <millrace/nodes/streamed.h>
#include <millrace/training/evaluation.h>
#include <millrace/training/logger.h>
#include <millrace/training/model_with_weights.h>
#include <millrace/training/prediction.h>
#include <millrace/training/session.h>
#include <millrace/training/train_step.h>

#include <functional>
#include <iostream>

using namespace millrace;
using test::Scratch;

namespace {

// ---- three levels -------------------------------------------------------------------------------

double train_folder(const std::string& photos, const std::filesystem::path& file) {
  TrainSpec spec{.data = {.path = photos}, .model = {.name = "mlp:16"}, .epochs = 20};
  TrainingSession session(spec, cpu::make_engine());
  const TrainingResult result = session.run();
  session.save(file);
  return result.best().validation->accuracy();
}

double evaluate_folder(const std::string& photos, const std::filesystem::path& file) {
  const auto folder = std::make_shared<const ClassFolder>(photos);
  const EvaluationSession session(cpu::make_engine(), load_model(file), SampleSet::all(folder));
  return session.run().sum.accuracy();
}

std::vector<float> ask_without_training(const ModelRequest& request, const std::string& photos) {
  // VGG16: {.model = {.name = "vgg16", .weights = "vgg16-top"}}
  ModelWithWeights opened = open_model("mine", request);
  for (const std::string& line : opened.notes) std::cerr << line << '\n';
  const PredictionSession session(cpu::make_engine(), std::move(opened.saved),
                                  SampleSet::all(std::make_shared<const ClassFolder>(photos)));
  std::vector<float> outputs;
  session.run([&](const Predicted& some) {
    outputs.insert(outputs.end(), some.values.begin(), some.values.end());
  });
  return outputs;
}

std::vector<double> train_on_batches_of_a_graph(const TrainSpec& spec) {
  TrainingSession session(spec, cpu::make_engine());
  const nn::Model& model = session.training().model;
  const TrainingData& data = session.training().data;

  Pipeline p{{.name = "mine", .budget = 4_GiB}};
  auto host =
      p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = model.input, .capacity = spec.batch});
  const DirectoryReader reader(data.training, data.validation,
                               {.batch = spec.batch, .epochs = spec.epochs, .seed = spec.seed});
  auto batches = add_decoding(p, host, reader,  // or any other stages that end in batches
                              {.sample = model.input, .preprocessing = model.preprocessing});
  std::vector<double> losses;
  train_on(p, batches, session, {.on_epoch = [&](const EpochRecord& epoch) {
             losses.push_back(epoch.training.mean_loss());
           }});
  session.allocate();
  p.run();
  return losses;
}

double train_in_a_loop(const nn::Model& model, const nn::Batch& seen, const nn::Batch& unseen) {
  const auto engine = cpu::make_engine();
  const auto executor = nn::make_executor(*engine, model, {.batch = seen.samples}, 1);
  for (int step = 1; step <= 200; ++step) executor->train(seen, step, 0.5);
  return executor->evaluate(unseen).accuracy();
}

// ---- a skeleton ---------------------------------------------------------------------------------

double train_in_a_graph(const std::shared_ptr<const Dataset>& data, const nn::Model& model) {
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine();
  Pipeline p{{.name = "train", .budget = 4_GiB}};
  const auto executor = make_executor(
      p, *engine, model, {.batch = 32, .optimizer = {.kind = nn::OptimizerKind::adam}}, 1);

  // Samples become batches.
  auto host = p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = model.input, .capacity = 32});
  auto tickets = p.source("list", host,
                          DirectoryReader(SampleSet::all(data), SampleSet::all(data),
                                          {.batch = 32, .epochs = 5, .seed = 1}));
  auto pixels = p.then(tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = skip(9)},
                       DecodeInto(data, data, Filter::bilinear));
  auto batches = p.then(p.gather(pixels), "batch", Batcher{});

  // Batches become the model's input.
  auto device = p.pool<DeviceBatch>(
      "device", 2, DeviceBatchFactory{.engine = engine, .sample = model.input, .capacity = 32});
  auto copied = p.then(p.with(batches, "slot", device), "copy", CopyToDevice(engine));
  auto inputs = p.then(copied, "cast", Cast(model.preprocessing, model.input));

  // Steps, and what watches them.
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(executor));
  double accuracy = 0;
  p.sink(steps, {.name = "log", .on = On::blocking},
         Logger({.on_epoch = [&](const auto& epoch) { accuracy = epoch.validation->accuracy(); }}));
  std::cout << p.plan();  // before anything is allocated
  std::cout << p.run();   // the report
  return accuracy;
}

// ---- sources ------------------------------------------------------------------------------------

struct Point {
  float x, y;
};

/// Made up: 320 for each pass of training, the same 64 for each validation.
Generator<Point> made_up(Phase phase, std::uint32_t pass) {
  const bool is_training = phase == Phase::training;
  Random random(is_training ? 1 : 2, is_training ? pass : 0, 0, Purpose::user);
  const auto place = [&] { return static_cast<float>(random.uniform(-1, 1)); };
  for (int i = 0, n = is_training ? 320 : 64; i < n; ++i) co_yield Point{place(), place()};
}

void write_point(const Point& point, Row row) {
  row.values()[0] = point.x;
  row.values()[1] = point.y;
  row.label(point.x > point.y ? 1 : 0);
}

double train_on_a_stream() {
  const TrainSpec spec{.model = {.name = "mlp:8"},
                       .epochs = 5,
                       .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 0.05}};
  const StreamFacts facts{.sample = {2}, .classes = {"above", "below"}, .validation_samples = 64};
  TrainingSession session(spec, streamed_data(facts, made_up, write_point), cpu::make_engine());
  return session.run().best().validation->accuracy();
}

Stream<Lease<HostBatch>> points(Pipeline& p, const Pool<HostBatch>& host) {
  auto rows = p.source("points", host, Streamed(made_up, {.epochs = 5}));
  auto tickets =
      p.then(rows, {.name = "write", .concurrency = 2, .on_error = skip(10)}, EachRow(write_point));
  return p.then(p.gather(tickets), "batch", Batcher{});
}

/// Such samples too, in five epochs of ten batches without validation.
struct StampedPoints {
  static constexpr std::uint32_t kEpochs = 5, kSteps = 10;
  std::uint32_t made = 0;

  bool operator()(Lease<HostBatch> batch, Emit<Lease<HostBatch>>& emit) {
    const bool is_last = made % kSteps == kSteps - 1;
    batch->size = batch->capacity();
    batch->tag = {.epoch = made / kSteps,
                  .step = made % kSteps,
                  .steps = kSteps,
                  .ends_phase = is_last,
                  .ends_epoch = is_last};
    for (std::size_t i = 0; i < batch->labels.size(); ++i) {
      Random random(1, made, i, Purpose::user);
      const std::span<float> point = batch->row(static_cast<std::int64_t>(i)).as<float>();
      for (float& place : point) place = static_cast<float>(random.uniform(-1, 1));
      batch->labels[i] = point[0] > point[1] ? 1 : 0;
      batch->passes[i] = batch->tag.epoch;
      batch->positions[i] = batch->tag.step * batch->labels.size() + i;
    }
    emit(std::move(batch));
    return ++made < kEpochs * kSteps;
  }
};

/// The last loss of steps on batches of points.
double train_on_points(
    const nn::Model& model,
    const std::function<Stream<Lease<HostBatch>>(Pipeline&, const Pool<HostBatch>&)>& make) {
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine();
  Pipeline p{{.name = "points", .budget = 64_MiB}};
  const auto executor =
      make_executor(p, *engine, model, {.batch = 32, .optimizer = {.learning_rate = 1.0}});
  auto host = p.pool<HostBatch>(
      "host", 3, HostBatchFactory{.sample = {2}, .dtype = DType::f32, .capacity = 32});
  auto inputs =
      add_upload(p, make(p, host),
                 {.batches = {.engine = engine, .sample = {2}, .dtype = DType::f32, .capacity = 32},
                  .preprocessing = model.preprocessing});
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(executor));
  double loss = 0;
  p.sink(steps, {.name = "log", .on = On::blocking},
         [&](const StepRecord& step) { loss = step.result.mean_loss(); });
  p.run();
  return loss;
}

// -------------------------------------------------------------------------------------------------

std::string draw_photos(const Scratch& scratch) {
  for (const auto& [name, value] : {std::pair("cats", 10), std::pair("dogs", 200)}) {
    std::vector<std::uint8_t> pixels(6 * 6 * 3, static_cast<std::uint8_t>(value));
    for (int i = 0; i < 100; ++i) {
      pixels[static_cast<std::size_t>(i)] = 99;  // no two alike
      scratch.write(concat("photos/", name, '/', i, ".png"), encode_png({pixels.data(), 6, 6, 3}));
    }
  }
  return (scratch / "photos").string();
}

}  // namespace

TEST_CASE("the sessions of the page for programs train, save and evaluate") {
  const Scratch scratch;
  const std::string photos = draw_photos(scratch);
  CHECK(train_folder(photos, scratch / "photos.safetensors") == 1);
  const std::string trained = (scratch / "photos.safetensors").string();
  CHECK(evaluate_folder(photos, trained) == 1);
  const std::vector<float> outputs = ask_without_training({.model = {.name = trained}}, photos);
  CHECK(outputs.size() % ClassFolder(photos).size() == 0);
  CHECK(outputs == ask_without_training({.model = {.name = "mlp:16", .weights = trained}}, photos));
  const std::vector<double> losses = train_on_batches_of_a_graph(
      {.data = {.path = photos}, .model = {.name = "mlp:16"}, .epochs = 3, .batch = 16});
  REQUIRE(losses.size() == 3);
  CHECK(losses[2] < losses[0]);
}

TEST_CASE("the loop, the graph and the sources of the page for programs learn") {
  const auto data = std::make_shared<const Numbered>(6400);
  CHECK(train_in_a_graph(data, nn::ModelBuilder("dense", {4, 4, 1})
                                   .flatten()
                                   .dense(8)
                                   .relu()
                                   .dense(1)
                                   .sigmoid()
                                   .build()) == 1);
  const nn::Model line = nn::ModelBuilder("line", {2}).dense(1).sigmoid().build();
  CHECK(train_on_a_stream() > 0.9);
  CHECK(train_on_points(line, points) < 0.4);
  CHECK(train_on_points(line, [](Pipeline& p, const Pool<HostBatch>& host) {
          return p.source("points", host, StampedPoints{});
        }) < 0.4);
  const std::vector<float> places{0.9F, 0.1F, 0.2F, 0.7F, -0.5F, -0.9F, -0.4F, 0.6F};
  const std::vector<std::int32_t> labels{1, 0, 1, 0};
  const nn::Batch batch{
      .input = {std::span(places), {4, 2}}, .labels = {std::span(labels), {4}}, .samples = 4};
  CHECK(train_in_a_loop(line, batch, batch) == 1);
}
