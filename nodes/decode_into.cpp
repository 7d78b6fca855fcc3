#include <millrace/nodes/decode_into.h>

#include <millrace/image/pixels.h>
#include <millrace/pipeline/threads.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

/// A part is a sample: its phase above its number in the data set.
constexpr int kPhaseBit = 32;

}  // namespace

DecoderOptions decoders_within(Bytes budget, int threads, std::uint64_t max_pixels) {
  if (budget.count == 0) return {.max_pixels = max_pixels};
  if (threads == 0) threads = available_threads();
  const Bytes share{budget.count / 32 / static_cast<std::uint64_t>(std::max(threads, 1))};
  // Without compression a pixel takes up to four bytes; unpacking a PNG takes them twice.
  const std::uint64_t pixels = std::min(max_pixels, budget.count);
  const Bytes files{std::min(budget.count / 16, 4 * pixels)};
  const Bytes images{std::min(budget.count * 3 / 16, 8 * pixels)};
  return {.max_pixels = max_pixels,
          .max_scratch = std::clamp(share, 1_MiB, 32_MiB),
          .large = std::make_shared<LargeImages>(files, images)};
}

DecodeInto::DecodeInto(std::shared_ptr<const Dataset> training,
                       std::shared_ptr<const Dataset> validation, Filter filter,
                       DecoderOptions options, std::shared_ptr<LostSamples> lost)
    : training_(std::move(training)),
      validation_(std::move(validation)),
      filter_(filter),
      options_(options),
      lost_(std::move(lost)),
      decoder_(options) {}

Ticket DecodeInto::operator()(const Ticket& ticket, Context& context) {
  HostBatch& batch = *ticket.batch;
  const Dataset& dataset = this->dataset(batch.tag.phase);
  const std::uint64_t phase = static_cast<std::uint64_t>(batch.tag.phase) << kPhaseBit;
  for (std::uint32_t i = ticket.first; i < ticket.first + ticket.count; ++i) {
    if (context.is_stopping()) break;
    context.begin_part(phase | batch.index[i]);
    batch.valid[i] = 0;
    try {
      const bool spreads = batch.dtype == DType::f32 && dataset.dtype() == DType::u8;
      const TensorView row = batch.row(i);
      dataset.load(batch.index[i], spreads ? bytes_within(row) : row, filter_, decoder_);
      if (spreads) spread_bytes(row);
      batch.valid[i] = 1;
    } catch (const std::exception& error) {  // lack of memory too: one sample is lost, not all
      context.skip(error.what());
    }
    if (lost_ != nullptr) lost_->note(batch.tag.phase, batch.index[i], batch.valid[i] == 0);
  }
  return ticket;
}

std::string DecodeInto::part_name(std::uint64_t part) const {
  return dataset(static_cast<Phase>(part >> kPhaseBit)).name(static_cast<std::uint32_t>(part));
}

bool DecodeInto::decodes() const noexcept {
  const auto is_decoded = [](const std::shared_ptr<const Dataset>& dataset) {
    return dataset != nullptr && dataset->dtype() == DType::u8 &&
           dataset->natural_shape().rank() == 0;
  };
  return is_decoded(training_) || is_decoded(validation_);
}

Bytes DecodeInto::scratch() const noexcept {
  // The file and the image, see DecoderOptions.
  return decodes() ? 2 * options_.max_scratch : Bytes{};
}

Bytes DecodeInto::shared_scratch() const noexcept {
  return decodes() && options_.large != nullptr ? options_.large->bytes() : Bytes{};
}

}  // namespace millrace
