#pragma once
// Any stream as data to train on: samples that come from a generator, a range or a callable,
// without an index. The source puts them into the slots of a pool of batches, by the run of epochs
// that its options tell; EachRow (each_row.h) then writes each sample into its row.
//
//   auto files = p.source({.name = "tar", .on = On::blocking}, host,
//                         Streamed(
//                             [](Phase phase, std::uint32_t epoch) {
//                               return phase == Phase::training
//                                          ? shuffled(read_tars("train"), 2000, epoch)
//                                          : read_tars("val");
//                             },
//                             {.epochs = 3, .payload = 2_KiB}));
//   auto images = p.then(files, {.name = "decode", .concurrency = 2, .on_error = skip(100)},
//                        EachRow([d = Decoder()](const File& file, Row row) mutable {
//                          d.decode(file.bytes, file.name, row.image());
//                          row.label(file.label);
//                        }));
//   auto batches = p.then(p.gather(images), "batch", Batcher{});

#include <millrace/nodes/detail/sample_stream.h>
#include <millrace/nodes/detail/stream_cursor.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/nodes/streamed_options.h>
#include <millrace/pipeline/pipeline.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace millrace {

/// Samples of a stream and their rows of a batch: [first, first + items.size()).
template <class T>
struct Rows {
  Lease<HostBatch> batch;
  std::uint32_t first = 0;
  std::vector<T> items;
};

/// A callable for Pipeline::source over a pool of HostBatch: batches of training and then of
/// validation, epoch by epoch, as Rows<T>.
///
/// `make(phase, epoch)` begins a stream of T: a Generator<T>, a range, or a callable
/// `std::optional<T>()`. A range may be a reference to one, which is then not copied, a span or a
/// view: samples are copied from it, and moved from a container that was made for the stream. For
/// training it is given the pass: the epoch, or with StreamedOptions::steps_per_epoch how often the
/// stream was begun before. A stream of validation that is empty means that there is no such phase.
/// The streams of a phase must not depend on the streams before, so that a run can resume in the
/// middle of one: it is begun again, and samples that were trained on before are pulled and
/// dropped. A factory with a third argument, `make(phase, epoch, std::uint64_t begin)`, goes there
/// itself: it leaves out the first `begin` samples. To resume it is asked for one sample more, the
/// last that was trained on, and a stream without it has changed since.
///
/// Stamps size, tag, passes and positions, and index with the position; a row has label -1, weight
/// 1 and targets 0 until somebody says more, who also stamps `valid`, as EachRow does. An epoch
/// that ends with its stream does not know its steps (BatchTag::kUnknownSteps), and a sample is
/// pulled ahead, so that its last batch is known; with drop_last a batch. With steps_per_epoch
/// nothing is pulled ahead of training: with one slot, a batch is pulled when the step before it is
/// done, so that a stream may depend on what was learnt.
///
/// The same stream and options: the same batches, whatever the threads. Throws UsageError for
/// options that cannot be; in the run Error for a phase without samples, for one that ends before
/// where the run resumes, and for samples that hold more than StreamedOptions::payload, where
/// detail::payload_of() knows: of ranges of bytes, of types with a member `bytes` that is one,
/// and of those with a function `payload_bytes(const T&)` in their namespace.
template <class Make>
class Streamed {
  using Made = detail::made_t<Make>;
  using T = detail::stream_sample_t<Made>;
  static constexpr bool is_stream = !detail::is_refused<T>;
  static_assert(is_stream,
                "Streamed takes a factory of streams, make(Phase, std::uint32_t epoch) or with a "
                "third argument, std::uint64_t begin; a stream is a Generator<T>, a range, or a "
                "callable std::optional<T>()");

 public:
  explicit Streamed(Make make, StreamedOptions options = {})
      : state_(std::make_unique<State>(std::move(make), std::move(options))) {}
  /// Begins where the other one began.
  Streamed(const Streamed& other) requires std::copy_constructible<Make>
      : Streamed(other.state_->make, other.state_->cursor.options()) {}
  Streamed(Streamed&&) noexcept = default;
  Streamed& operator=(Streamed&&) noexcept = default;
  ~Streamed() = default;

  bool operator()(Lease<HostBatch> batch, Emit<Rows<T>>& emit, Context& context) {
    std::vector<T> items;
    if (!next(*batch, items, context.stop_token())) return false;
    const std::size_t most = state_->cursor.ticket_samples(*batch);
    for (std::size_t first = 0; first < items.size(); first += most) {
      const auto begin = std::make_move_iterator(items.begin() + static_cast<Place>(first));
      const auto count = static_cast<Place>(std::min(most, items.size() - first));
      emit({batch, static_cast<std::uint32_t>(first), std::vector<T>(begin, begin + count)});
    }
    return !state_->cursor.is_over();
  }

  /// The same without a pipeline: stamps the next batch and gives the samples of its rows; false
  /// where there is none, or a stop was requested.
  bool next(HostBatch& batch, std::vector<T>& items, const std::stop_token& stop = {}) {
    State& s = *state_;
    items.clear();
    if (s.cursor.is_over()) return false;
    if constexpr (is_stream) {
      s.cursor.begin(batch);
      const bool is_training = s.cursor.next().phase == Phase::training;
      detail::SampleStream<Made>& stream = is_training ? s.training : s.validation;
      const bool has_more = fill(batch, items, stream, stop);
      const bool has_validation = is_training && !has_more && validates(stop);
      if (stop.stop_requested()) return false;
      if (!has_more && !s.cursor.counts()) stream.close();
      s.cursor.end(batch, has_more, has_validation);
    }
    return true;
  }

  /// Of the samples of all slots of a pool, and of those that are pulled ahead.
  [[nodiscard]] Bytes payload(const Pool<HostBatch>& pool) const {
    return state_->cursor.payload(pool.slots(), pool.capacity());
  }

 private:
  using Place = typename std::vector<T>::difference_type;
  struct State {
    State(Make factory, StreamedOptions options)
        : make(std::move(factory)), cursor(std::move(options)) {}
    Make make;  // outlives the streams, which may refer to the captures of a lambda
    detail::StreamCursor cursor;
    detail::SampleStream<Made> training, validation;
  };

  /// Pulls the samples of a batch; whether another batch of the phase follows.
  bool fill(HostBatch& batch, std::vector<T>& items, detail::SampleStream<Made>& stream,
            const std::stop_token& stop) {
    State& s = *state_;
    std::uint64_t held = 0;
    while (batch.size < s.cursor.rows() && !stop.stop_requested()) {
      if (!stream.is_open()) stream.open(s.make, s.cursor.stream(), stop);
      std::optional<T> sample = stream.next();
      if (sample) {
        if constexpr (detail::tells_payload<T>) {
          s.cursor.check_payload(held += detail::payload_of(*sample));
        }
        items.push_back(*std::move(sample));
        s.cursor.add_row(batch);
      } else if (!s.cursor.begin_pass()) {
        break;
      } else {
        stream.close();
      }
    }
    if (stop.stop_requested()) return false;
    s.cursor.check_filled(batch);
    if (s.cursor.is_last_by_count()) return false;
    return s.cursor.counts() || stream.has(s.cursor.ahead(), stop);
  }

  /// Whether the epoch has a validation, of which the stream is then open.
  bool validates(const std::stop_token& stop) {
    detail::SampleStream<Made>& stream = state_->validation;
    stream.open(state_->make, state_->cursor.validation(), stop);
    if (stream.has(1, stop)) return true;
    stream.close();
    return false;
  }

  std::unique_ptr<State> state_;  // in place, whoever moves this
};

}  // namespace millrace
