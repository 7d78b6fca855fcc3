#include <millrace/gpu/arena_transfer.h>

#include <algorithm>
#include <cstring>

namespace millrace::gpu {
namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 20;  // elements: 4 MiB

}  // namespace

Transfer::Transfer(Context& context, Stream& stream, Event& done, const ParameterPlaces& places)
    : context_(context), stream_(stream), done_(done), places_(places) {
  const std::int64_t largest = std::max(std::min(kPiece, places.elements()), places.longest_row());
  staging_ =
      context_.device->allocate_pinned(Bytes{static_cast<std::uint64_t>(largest) * sizeof(float)});
}

template <class Body>
void Transfer::for_each_piece(bool trainable_only, const Body& body) const {
  const auto room = static_cast<std::int64_t>(staging_.size() / sizeof(float));
  for (std::size_t p = 0; p < places_.parameters().size(); ++p) {
    if (trainable_only && !places_.parameters()[p].trainable) continue;
    const auto& place = places_.place(static_cast<int>(p));
    const std::int64_t most = room / place.stored;
    for (std::int64_t first = 0; first < place.rows; first += most) {
      body(static_cast<int>(p), first, std::min(most, place.rows - first),
           place.offset + first * place.stored);
    }
  }
}

void Transfer::copy(void* to, const void* from, std::size_t bytes, Device::Copy kind) {
  context_.device->copy(stream_, to, from, Bytes{bytes}, kind);
  context_.device->record(done_, stream_);
  context_.waiter.wait(done_, "a copy of weights");
}

void Transfer::read(const float* arena, bool trainable_only, std::span<float> values) {
  std::ranges::fill(values, 0.0F);
  for_each_piece(
      trainable_only, [&](int p, std::int64_t first, std::int64_t rows, std::int64_t offset) {
        const auto elements = static_cast<std::size_t>(rows * places_.place(p).stored);
        copy(staging_.data(), arena + offset, elements * sizeof(float), Device::Copy::to_host);
        places_.to_outside(p, first, rows, staging_.as<float>().first(elements), values);
      });
}

void Transfer::write(float* arena, bool trainable_only, std::span<const float> values) {
  for_each_piece(
      trainable_only, [&](int p, std::int64_t first, std::int64_t rows, std::int64_t offset) {
        const auto elements = static_cast<std::size_t>(rows * places_.place(p).stored);
        places_.from_outside(p, first, rows, values, staging_.as<float>().first(elements));
        copy(arena + offset, staging_.data(), elements * sizeof(float), Device::Copy::to_device);
      });
}

void Transfer::write_bytes(void* to, std::span<const std::byte> bytes) {
  for (std::size_t done = 0; done < bytes.size(); done += staging_.size()) {
    const auto piece = bytes.subspan(done, std::min(staging_.size(), bytes.size() - done));
    std::ranges::copy(piece, staging_.data());
    copy(static_cast<std::byte*>(to) + done, staging_.data(), piece.size(),
         Device::Copy::to_device);
  }
}

}  // namespace millrace::gpu
