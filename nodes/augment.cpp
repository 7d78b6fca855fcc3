#include <millrace/nodes/augment.h>

#include <millrace/core/random.h>
#include <millrace/image/geometry.h>

namespace millrace {

Augment::Augment(AugmentOptions options, std::uint64_t seed) : options_(options), seed_(seed) {
  if (options.crop_padding < 0) {
    throw UsageError(concat("crop padding: must be 0 or more, not ", options.crop_padding));
  }
}

void Augment::change(HostBatch& batch, std::size_t row) const {
  const auto extent = [&](int i) { return static_cast<int>(batch.sample[i]); };
  const TensorView pixels = batch.row(static_cast<std::int64_t>(row));
  const ImageView image(pixels.as<std::uint8_t>().data(), extent(0), extent(1), extent(2));
  const std::uint32_t pass = batch.passes[row];
  const std::uint64_t draw = batch.draws[row];
  if (options_.crop_padding > 0) {
    Random random(seed_, pass, draw, Draw::crop);
    crop_in_place(image,
                  draw_crop(random, image.height, image.width, options_.crop_padding, image.height,
                            image.width),
                  options_.fill);
  }
  if (options_.horizontal_flip && Random(seed_, pass, draw, Draw::flip).coin(0.5)) {
    flip_horizontal(image);
  }
}

Ticket Augment::operator()(const Ticket& ticket) const {
  HostBatch& batch = *ticket.batch;
  const bool applies = batch.tag.phase == Phase::training && batch.dtype == DType::u8 &&
                       batch.sample.rank() == 3 && !options_.is_identity();
  for (std::size_t i = ticket.first; applies && i < ticket.first + ticket.count; ++i) {
    if (batch.valid[i] != 0) change(batch, i);
  }
  return ticket;
}

}  // namespace millrace
