#include <millrace/nodes/decode_into.h>

#include <utility>

namespace millrace {

DecodeInto::DecodeInto(std::shared_ptr<const Dataset> training,
                       std::shared_ptr<const Dataset> validation, Filter filter,
                       DecoderOptions options)
    : training_(std::move(training)),
      validation_(std::move(validation)),
      filter_(filter),
      options_(options),
      decoder_(options) {}

DecodeInto::DecodeInto(const DecodeInto& other)
    : DecodeInto(other.training_, other.validation_, other.filter_, other.options_) {}

Ticket DecodeInto::operator()(const Ticket& ticket, Context& context) {
  HostBatch& batch = *ticket.batch;
  const Dataset& dataset = batch.tag.phase == Phase::training ? *training_ : *validation_;
  for (std::uint32_t i = ticket.first; i < ticket.first + ticket.count; ++i) {
    if (context.is_stopping()) break;
    try {
      dataset.load(batch.index[i], batch.row(i), filter_, decoder_);
      batch.valid[i] = 1;
    } catch (const std::exception& error) {  // lack of memory too: one sample is lost, not all
      context.skip(error.what());
    }
  }
  return ticket;
}

Bytes DecodeInto::scratch() const noexcept {
  const auto is_decoding = [](const std::shared_ptr<const Dataset>& dataset) {
    return dataset != nullptr && dataset->dtype() == DType::u8 &&
           dataset->natural_shape().rank() == 0;
  };
  // The file and the picture, see DecoderOptions.
  return is_decoding(training_) || is_decoding(validation_) ? 2 * options_.max_scratch : Bytes{};
}

}  // namespace millrace
