#include <millrace/nodes/augment.h>

#include <millrace/image/geometry.h>

#include <utility>

namespace millrace {
namespace {

AugmentOptions checked(AugmentOptions options) {
  check(options);
  return options;
}

Sampling sampling_of(const AugmentOptions& options) {
  return {.fill = options.fill_mode,
          .cval = static_cast<float>(options.cval),
          .order = options.interpolation_order};
}

}  // namespace

Augment::Augment(AugmentOptions options, std::uint64_t seed, Shape sample)
    : options_(checked(std::move(options))),
      seed_(seed),
      sample_(sample),
      transformer_(sampling_of(options_), options_.keras_compat) {}

template <class Sample>
void Augment::change(BasicImageView<Sample> image, RandomKey key) {
  if (options_.crop_padding > 0) {
    crop_in_place(image, draw_crop(options_, image.height, image.width, key),
                  static_cast<Sample>(options_.fill));
  }
  transformer_.apply(draw_transform(options_, image.height, image.width, key), image);
  for_each_later(options_, [&](const auto& change) {
    if (!change.is_identity()) change(image, key);
  });
}

Ticket Augment::operator()(const Ticket& ticket) {
  HostBatch& batch = *ticket.batch;
  const bool applies =
      batch.tag.phase == Phase::training && batch.sample.rank() == 3 && !options_.is_identity();
  for (std::size_t i = ticket.first; applies && i < ticket.first + ticket.count; ++i) {
    if (batch.valid[i] == 0) continue;
    const TensorView pixels = batch.row(static_cast<std::int64_t>(i));
    const RandomKey key =
        options_.views > 0
            ? RandomKey{seed_, batch.passes[i] % options_.views, std::uint64_t{batch.index[i]}}
            : RandomKey{seed_, batch.passes[i], batch.positions[i]};
    if (batch.dtype == DType::u8) {
      change(image_of(pixels), key);
    } else {
      change(image_of<float>(pixels), key);
    }
  }
  return ticket;
}

Bytes Augment::scratch() const noexcept {
  if (sample_.rank() != 3 || !options_.is_affine()) return {};
  const auto extents = sample_.extents();
  return Transformer::scratch(static_cast<int>(extents[0]), static_cast<int>(extents[1]),
                              static_cast<int>(extents[2]));
}

}  // namespace millrace
