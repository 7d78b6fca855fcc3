// millrace predict: the classes that a trained model sees in pictures, one line a picture.

#include "apps/choose.h"
#include "apps/commands.h"
#include "apps/device_memory.h"
#include "apps/file_list.h"
#include "apps/find_model.h"
#include "apps/left_out_report.h"
#include "apps/machine.h"
#include "apps/machine_options.h"
#include "apps/outputs.h"

#include <millrace/core/shown_text.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/nodes/standardize.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/pipeline/pipeline.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

namespace millrace::apps {
namespace {

struct PredictOptions {
  std::string model;
  std::vector<std::string> paths;
  std::int64_t top = 1;
  bool json = false;
  std::int64_t batch = 32;
  MachineOptions machine;
};

void declare(CommandLine& line, PredictOptions& o) {
  line.positional("model", o.model);
  line.positional_many("path", o.paths);
  line.topic("output", "Output");
  line("top", o.top, "K", "the K likeliest classes of each picture; default 1");
  line("json", o.json, "",
       "one JSON object a line instead of text between tabs; a last one with \"left_out\" where "
       "files were");
  declare(line, o.machine);
  line("batch", o.batch, "N", "pictures of a step; default 32");
}

void check(PredictOptions& o) {
  if (o.paths.empty()) throw UsageError("predict: needs MODEL and at least one PATH");
  if (o.top < 1) throw UsageError(concat("predict: --top must be 1 or more, not ", o.top));
  if (o.batch < 1) throw UsageError(concat("predict: --batch must be 1 or more, not ", o.batch));
  check_and_choose("predict", o.machine);
}

/// The model's outputs for a batch of pictures.
struct Outputs {
  std::vector<float> values;            ///< [capacity][width]
  std::vector<std::uint32_t> pictures;  ///< [capacity] which files
  std::int64_t size = 0;
};

/// Makes the slots of a pool of them.
struct OutputsFactory {
  std::size_t rows = 0, width = 0;

  [[nodiscard]] Outputs operator()() const {
    return {std::vector<float>(rows * width), std::vector<std::uint32_t>(rows)};
  }
  [[nodiscard]] Bytes bytes() const {
    return {rows * (width * sizeof(float) + sizeof(std::uint32_t))};
  }
};

struct Prediction {
  PredictOptions options;
  SavedModel saved;
  SampleSet pictures;
  std::shared_ptr<const nn::Engine> engine;
  std::shared_ptr<nn::Executor> executor;
};

/// A node for the engine's thread.
class Predict {
 public:
  explicit Predict(std::shared_ptr<nn::Executor> executor) : executor_(std::move(executor)) {}
  Lease<Outputs> operator()(const With<Lease<DeviceBatch>, Outputs>& batch) const {
    Outputs& outputs = *batch.slot;
    outputs.size = batch.item->size;
    if (outputs.size == 0) return batch.slot;
    executor_->predict(batch.item->view(), outputs.values);
    // One pass in the order of the list: a sample's position in it is its number.
    for (std::size_t i = 0; i < static_cast<std::size_t>(outputs.size); ++i) {
      outputs.pictures[i] = static_cast<std::uint32_t>(batch.item->draws[i]);
    }
    return batch.slot;
  }

 private:
  std::shared_ptr<nn::Executor> executor_;
};

/// What a row of outputs means: probabilities of all classes. Models that end in neither softmax
/// nor sigmoid give logits.
std::vector<double> probabilities(const nn::Model& model, std::span<const float> row) {
  std::vector<double> p(row.begin(), row.end());
  const nn::LayerKind& last = model.layers.back().kind;
  const bool ends_in_softmax = std::holds_alternative<nn::Softmax>(last);
  const bool ends_in_sigmoid = std::holds_alternative<nn::Sigmoid>(last);
  if (p.size() == 1) {
    if (!ends_in_sigmoid) p[0] = 1 / (1 + std::exp(-p[0]));
    return {1 - p[0], p[0]};
  }
  if (ends_in_softmax || ends_in_sigmoid) return p;
  const double largest = *std::max_element(p.begin(), p.end());
  for (double& value : p) value = std::exp(value - largest);
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value /= sum;
  return p;
}

/// Prints a line a picture.
class Printer {
 public:
  explicit Printer(const Prediction& prediction)
      : prediction_(prediction), classes_(class_names(prediction.saved.model)) {}

  void operator()(const Lease<Outputs>& outputs) const {
    const auto width = outputs->values.size() / outputs->pictures.size();
    for (std::size_t i = 0; i < static_cast<std::size_t>(outputs->size); ++i) {
      print(prediction_.pictures.dataset->name(outputs->pictures[i]),
            probabilities(prediction_.saved.model,
                          std::span(outputs->values).subspan(i * width, width)));
    }
    std::cout.flush();
  }

 private:
  void print(const std::string& path, const std::vector<double>& p) const {
    std::vector<std::size_t> order(p.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(prediction_.options.top)));
    prediction_.options.json ? print_json(path, p, order) : print_text(path, p, order);
  }
  void print_text(const std::string& path, const std::vector<double>& p,
                  const std::vector<std::size_t>& order) const {
    std::cout << shown(path) << std::fixed << std::setprecision(4);
    for (const std::size_t i : order) std::cout << '\t' << shown(classes_[i]) << '\t' << p[i];
    std::cout << '\n';
  }
  void print_json(const std::string& path, const std::vector<double>& p,
                  const std::vector<std::size_t>& order) const {
    nlohmann::ordered_json line = {{"path", path}, {"classes", nlohmann::ordered_json::array()}};
    for (const std::size_t i : order) {
      line["classes"].push_back({{"class", classes_[i]}, {"probability", p[i]}});
    }
    std::cout << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << '\n';
  }

  const Prediction& prediction_;
  std::vector<std::string> classes_;
};

DirectoryReader make_reader(const Prediction& t) {
  return DirectoryReader(t.pictures, {},
                         {.batch = t.options.batch,
                          .shuffle = false,
                          .ticket_samples = ticket_samples(t.saved.model.input)});
}

DeviceBatchFactory device_batches(const Prediction& t) {
  const nn::Model& model = t.saved.model;
  return {t.engine, model.input, nn::host_dtype(model.preprocessing, DType::u8), t.options.batch};
}

/// list - decode - batch - copy - cast - predict - print.
Pipeline compose(const Prediction& t) {
  const nn::Model& model = t.saved.model;
  const std::int64_t batch = t.options.batch;
  const std::shared_ptr<const nn::Engine> engine = t.engine;
  DirectoryReader reader = make_reader(t);

  Pipeline p({.name = "predict",
              .budget = parse_bytes(t.options.machine.memory_budget),
              .threads = t.options.machine.threads});
  p.charge("index", 1, t.pictures.dataset->index_bytes());
  p.charge("order of samples", 1, reader.bytes());
  charge_model(p, *t.engine, t.executor->memory());
  const DType dtype = nn::host_dtype(model.preprocessing, DType::u8);
  auto host = p.pool<HostBatch>("host batches", 3,
                                HostBatchFactory{model.input, dtype, batch, [engine](Bytes size) {
                                                   return engine->host_buffer(size);
                                                 }});
  auto device = p.pool<DeviceBatch>("device batches", kDeviceBatches, device_batches(t));
  auto outputs = p.pool<Outputs>("outputs", 2,
                                 OutputsFactory{static_cast<std::size_t>(batch),
                                                static_cast<std::size_t>(output_width(model))});

  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  auto pixels =
      p.then(tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = skip()},
             DecodeInto(t.pictures.dataset, nullptr, filter_from_name(model.preprocessing.filter),
                        decoder_options(parse_bytes(t.options.machine.memory_budget),
                                        t.options.machine.threads)));
  if (nn::needs_whole_samples(model.preprocessing)) {
    charge_whitening(p, model.preprocessing);
    pixels = p.then(pixels, {.name = "standardize", .concurrency = kAllThreads},
                    Standardize(model.preprocessing, model.input));
  }
  auto batches = p.then(p.gather(pixels), {.name = "batch"}, Batcher{});
  auto on_device = p.then(p.with(batches, {.name = "device slot"}, device), {.name = "copy"},
                          CopyToDevice(engine));
  auto inputs = p.then(on_device, {.name = "cast"}, Cast(model.preprocessing, model.input));
  auto predicted = p.then(p.with(inputs, {.name = "output slot"}, outputs),
                          {.name = "predict", .on = On::engine}, Predict(t.executor));
  p.sink(predicted, {.name = "print", .on = On::blocking}, Printer(t));
  return p;
}

Prediction prepare(PredictOptions options, std::shared_ptr<const Dataset> pictures) {
  Prediction t;
  t.saved = load_trained_model("predict", options.model);
  if (t.saved.model.input.rank() != 3) {
    throw Error(concat(options.model, ": the input of the model is ", t.saved.model.input,
                       " features, not a picture"));
  }
  check_outputs(t.saved.model, options.model);
  t.pictures = SampleSet::all(std::move(pictures));
  t.options = std::move(options);
  t.options.batch = std::min<std::int64_t>(t.options.batch, t.pictures.size());
  t.engine = engine_for(t.options.machine.engine());
  const nn::CompileOptions compile{
      .batch = t.options.batch, .other_batches = make_reader(t).short_batches(), .training = false};
  t.executor = t.engine->compile(t.saved.model, compile);
  check_evaluation_memory(*t.engine, *t.executor, compile, device_batches(t), kDeviceBatches);
  return t;
}

}  // namespace

int predict(const Arguments& arguments) {
  PredictOptions options;
  CommandLine line("predict", "predict MODEL PATH... [OPTIONS]",
                   "Prints path, class and probability of each picture, a line a picture. MODEL is "
                   "a model.safetensors\nor a run directory. A PATH is a picture, a folder (with "
                   "all below it, links followed) or a pattern in\nquotes. Pictures that cannot be "
                   "read are named on standard error; the exit status is then 1. What else\nis "
                   "left out of folders is counted there in one line, by reason.");
  declare(line, options);
  if (!line.parse(arguments)) return 0;
  check(options);

  Interrupt interrupt;
  (void)model_file(options.model);  // a wrong MODEL is the first thing to say
  FoundFiles found = find_files(options.paths);
  Complaints complaints(std::move(found.left_out));
  for (const std::string& problem : found.problems) complaints.say(problem);
  const bool json = options.json;
  if (found.files.empty()) {
    complaints.sum_up(json);
    return 1;
  }
  const auto complain = [&](const std::string& why) { complaints.not_decoded(why); };
  const Prediction t =
      prepare(std::move(options), std::make_shared<FileList>(std::move(found.files), complain));
  Pipeline p = compose(t);
  p.check();
  t.executor->allocate();
  t.executor->write(nn::Arena::parameters, t.saved.parameters);
  const Report report = p.run(interrupt.token());
  if (report.stopped) {
    std::cerr << "millrace: stopped by a signal before all pictures were looked at\n";
    return interrupt.exit_status();
  }
  complaints.sum_up(json);
  return complaints.is_complete() ? 0 : 1;
}

}  // namespace millrace::apps
