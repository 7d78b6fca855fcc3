#pragma once
// A stream as the data of a training session: samples that have no index and no folder.
//
//   const TrainSpec spec{.model = {.name = "cnn:8,16:32"}, .epochs = 5, .steps_per_epoch = 100};
//   TrainingSession session(spec,
//                           streamed_data({.sample = {24, 24, 1}, .classes = {"disc", "square"}},
//                                         shapes, [](const Drawing& d, Row row) { d.draw(row); }),
//                           cpu::make_engine());

#include <millrace/core/bytes.h>
#include <millrace/core/shape.h>
#include <millrace/nodes/each_row.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/nodes/streamed.h>
#include <millrace/pipeline/pipeline.h>
#include <millrace/training/training_data.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

/// Facts of a stream, which cannot be read from it before it runs.
struct StreamFacts {
  Shape sample;  ///< {height, width, 1 or 3}: u8; {features}: f32
  /// Their names, by label. A model file may have them in another order, which labels then follow.
  std::vector<std::string> classes{};
  /// In the place of classes the names of what the model is to give: of each sample the numbers of
  /// Row::target(), NaN where one is not known.
  std::vector<std::string> targets{};
  bool targets_are_labels = false;  ///< all in 0..1, of a model that ends in a sigmoid
  /// The most samples that validation has, for what measures keep of them; 0: there is none. A run
  /// may resume with more or fewer.
  std::uint32_t validation_samples = 0;
  Bytes payload{};                ///< StreamedOptions::payload
  std::uint64_t buffered = 0;     ///< StreamedOptions::buffered
  Bytes scratch{};                ///< EachRowOptions::scratch
  On on = On::compute;            ///< On::blocking where the stream waits, for files or a network
  int concurrency = kAllThreads;  ///< of the function of samples
};

/// A stream and how its samples become rows; streamed_data() makes one.
struct StreamedData {
  /// What a run asks of it.
  struct Request {
    StreamedOptions options;
    OnError on_error;
    EachRowOptions rows{};  ///< but for `scratch`
  };
  StreamFacts facts;
  std::function<Stream<Ticket>(Pipeline&, const Pool<HostBatch>&, Request)> add;
};

/// `make` and `write` are those of Streamed and EachRow; both are copied, for the plan and the run.
template <std::copy_constructible Make, std::copy_constructible F>
[[nodiscard]] StreamedData streamed_data(StreamFacts facts, Make make, F write) {
  auto add = [facts, make = std::move(make), write = std::move(write)](
                 Pipeline& p, const Pool<HostBatch>& host, StreamedData::Request request) {
    request.options.payload = facts.payload;
    request.options.buffered = facts.buffered;
    request.rows.scratch = facts.scratch;
    auto rows = p.source({.name = "stream", .on = facts.on}, host,
                         Streamed(make, std::move(request.options)));
    return p.then(rows,
                  {.name = "write", .concurrency = facts.concurrency, .on_error = request.on_error},
                  EachRow(write, std::move(request.rows)));
  };
  return {std::move(facts), std::move(add)};
}

/// The stream in the place of data sets, one sample of each class or kind of target, and what it
/// decides in the spec. Throws UsageError for facts that do not fit each other, and for a spec that
/// asks for what no stream has: another DATA, data that are read before the run, balanced classes,
/// the number of steps.
[[nodiscard]] TrainingData data_of(StreamedData stream, TrainSpec& spec);

}  // namespace millrace
