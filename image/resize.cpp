#include <millrace/image/resize.h>

#include <millrace/image/filter_table.h>
#include <millrace/image/resample.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace millrace {
namespace {

// The tables of the sizes met last. Photographs come in a few sizes; a bound keeps the memory of a
// folder where no two are alike.
class TableCache {
 public:
  const FilterTable& get(int in, int out, Filter filter, int lanes) {
    const auto found = std::find_if(tables_.begin(), tables_.end(), [&](const FilterTable& table) {
      return table.is_for(in, out, filter, lanes);
    });
    const auto used = found != tables_.end() ? found : tables_.end() - 1;
    if (found == tables_.end()) used->assign(in, out, filter, lanes);
    std::rotate(tables_.begin(), used, used + 1);  // most recent first; tables move, data stays
    return tables_.front();
  }
  [[nodiscard]] std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const FilterTable& table : tables_) sum += table.bytes();
    return sum;
  }

 private:
  std::array<FilterTable, 8> tables_;
};

}  // namespace

constexpr std::size_t kNotAligned = 32;  // see Resizer::wide_row()

class Resizer::Impl {
 public:
  void begin(int height, int width, ImageView target, Filter filter);
  void push_row(std::span<const std::uint8_t> row);
  [[nodiscard]] std::uint8_t* wide_row() noexcept { return wants_wide_rows() ? wide() : nullptr; }
  void push_wide_row() {
    MILLRACE_CHECK(wants_wide_rows(), "rows are as they come");
    push(nullptr);
  }
  [[nodiscard]] bool is_complete() const noexcept { return next_out_ == target_.height; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return sizeof(*this) + columns_.bytes() + rows_.bytes() + wide_.capacity() +
           window_.capacity() + taps_.capacity() * sizeof(const std::uint8_t*);
  }

 private:
  void push(const std::uint8_t* row);  // null: it is the wide one
  void resize_columns(const std::uint8_t* row, std::uint8_t* out);
  [[nodiscard]] bool wants_wide_rows() const noexcept {
    return target_.channels == 3 && width_ != target_.width && filter_ != Filter::nearest;
  }
  [[nodiscard]] std::uint8_t* wide() noexcept {
    const auto misplaced = reinterpret_cast<std::uintptr_t>(wide_.data()) % kNotAligned;
    return wide_.data() + (kNotAligned - misplaced) + kNotAligned / 2;
  }
  void emit_row();
  [[nodiscard]] std::uint8_t* window_row(int y) noexcept {
    return window_.data() + static_cast<std::size_t>(y % vertical_->taps) * window_stride_;
  }

  ImageView target_;
  Filter filter_ = Filter::nearest;
  int height_ = 0;
  int width_ = 0;
  int next_in_ = 0;
  int next_out_ = 0;
  const FilterTable* horizontal_ = nullptr;  // in columns_, which only begin() changes
  const FilterTable* vertical_ = nullptr;
  TableCache columns_;
  TableCache rows_;
  std::vector<std::uint8_t> wide_;    // one input row, padded, four bytes a pixel if it has three
  std::vector<std::uint8_t> window_;  // [vertical_->taps][window_stride_], row y at y modulo taps
  std::size_t window_stride_ = 0;
  std::vector<const std::uint8_t*> taps_;
};

void Resizer::Impl::begin(int height, int width, ImageView target, Filter filter) {
  MILLRACE_CHECK(height > 0 && width > 0 && target.height > 0 && target.width > 0,
                 "nothing to resize: ", height, "x", width, " to ", target.height, "x",
                 target.width);
  MILLRACE_CHECK(target.channels == 1 || target.channels == 3,
                 "images of 1 or 3 channels are resized, not of ", target.channels);
  target_ = target;
  filter_ = filter;
  height_ = height;
  width_ = width;
  next_in_ = next_out_ = 0;
  const int lanes = target.channels == 1 ? 1 : 4;
  horizontal_ = &columns_.get(width, target.width, filter, lanes);
  vertical_ = &rows_.get(height, target.height, filter, 1);

  const auto grow = [](std::vector<std::uint8_t>& memory, std::size_t bytes) {
    if (memory.size() < bytes) memory.resize(bytes);
  };
  grow(wide_, 2 * kNotAligned + resample::readable_bytes(*horizontal_));
  window_stride_ = target.row_bytes() + resample::kRowPadding;
  grow(window_, static_cast<std::size_t>(vertical_->taps) * window_stride_);
  taps_.resize(static_cast<std::size_t>(vertical_->taps));
}

void Resizer::Impl::push_row(std::span<const std::uint8_t> row) {
  MILLRACE_CHECK(next_in_ < height_, "all ", height_, " rows have been pushed");
  MILLRACE_CHECK(
      row.size() == static_cast<std::size_t>(width_) * static_cast<std::size_t>(target_.channels),
      "a row has ", width_, " pixels of ", target_.channels, " bytes, not ", row.size(), " bytes");
  push(row.data());
}

void Resizer::Impl::push(const std::uint8_t* row) {
  const int y = next_in_++;
  if (height_ == target_.height) {  // Pillow leaves the pass out; so do all filters but in time
    // In between only where the loops write beyond a row.
    const bool is_copy = width_ == target_.width;
    std::uint8_t* const out = target_.row(next_out_++);
    resize_columns(row, is_copy ? out : window_.data());
    if (!is_copy) std::memcpy(out, window_.data(), target_.row_bytes());
    return;
  }
  const auto first = [&] { return vertical_->first[static_cast<std::size_t>(next_out_)]; };
  const auto count = [&] { return vertical_->count[static_cast<std::size_t>(next_out_)]; };
  if (is_complete() || y < first()) return;  // nearest leaves rows out
  resize_columns(row, window_row(y));
  while (!is_complete() && first() + count() == y + 1) emit_row();
}

void Resizer::Impl::resize_columns(const std::uint8_t* row, std::uint8_t* out) {
  if (width_ == target_.width) {
    std::memcpy(out, row, target_.row_bytes());
  } else if (filter_ == Filter::nearest) {
    const auto channels = static_cast<std::size_t>(target_.channels);
    for (const std::int32_t x : horizontal_->first) {
      out = std::copy_n(row + static_cast<std::size_t>(x) * channels, channels, out);
    }
  } else if (target_.channels == 1) {
    std::memcpy(wide(), row, static_cast<std::size_t>(width_));
    resample::horizontal_gray(wide(), *horizontal_, out);
  } else {
    if (row != nullptr) resample::widen_rgb(row, width_, wide());
    resample::horizontal_rgbx(wide(), *horizontal_, out);
  }
}

void Resizer::Impl::emit_row() {
  const auto at = static_cast<std::size_t>(next_out_);
  const int first = vertical_->first[at];
  const auto n = static_cast<std::size_t>(vertical_->count[at]);
  std::uint8_t* const out = target_.row(next_out_++);
  if (n == 1) {  // a single weight is one
    std::memcpy(out, window_row(first), target_.row_bytes());
    return;
  }
  for (std::size_t tap = 0; tap < n; ++tap) taps_[tap] = window_row(first + static_cast<int>(tap));
  resample::vertical({taps_.data(), n}, vertical_->weights_of(static_cast<int>(at)), out,
                     target_.row_bytes());
}

Resizer::Resizer() : impl_(std::make_unique<Impl>()) {}
Resizer::~Resizer() = default;
Resizer::Resizer(Resizer&&) noexcept = default;
Resizer& Resizer::operator=(Resizer&&) noexcept = default;

void Resizer::begin(int height, int width, ImageView target, Filter filter) {
  impl_->begin(height, width, target, filter);
}

void Resizer::push_row(std::span<const std::uint8_t> row) {
  impl_->push_row(row);
}

std::uint8_t* Resizer::wide_row() noexcept {
  return impl_->wide_row();
}

void Resizer::push_wide_row() {
  impl_->push_wide_row();
}

bool Resizer::is_complete() const noexcept {
  return impl_->is_complete();
}

Bytes Resizer::scratch_bytes() const noexcept {
  return {impl_->bytes()};
}

void Resizer::resize(ConstImageView source, ImageView target, Filter filter) {
  MILLRACE_CHECK(source.channels == target.channels, "channels differ: ", source.channels, " and ",
                 target.channels);
  const bool keeps_size = source.height == target.height && source.width == target.width;
  if (keeps_size && source.row_bytes() == source.stride && target.row_bytes() == target.stride) {
    std::memcpy(target.data, source.data,
                source.row_bytes() * static_cast<std::size_t>(source.height));
    return;
  }
  impl_->begin(source.height, source.width, target, filter);
  for (int y = 0; y < source.height; ++y) impl_->push_row({source.row(y), source.row_bytes()});
}

}  // namespace millrace
