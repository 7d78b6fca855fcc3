#include <millrace/cpu/parameters.h>

#include <millrace/core/buffer.h>
#include <millrace/core/error.h>

#include <algorithm>

namespace millrace::cpu {
namespace {

/// The order of nn/engine.h.
Layout outside_layout(const Layout& inside) {
  return onednn::row_major(onednn::dims(inside));
}

}  // namespace

Layout plain_layout(const nn::Parameter& parameter) {
  const auto extents = parameter.shape.extents();
  onednn::Dims dims{extents.begin(), extents.end()};
  if (parameter.groups > 1) {
    dims.insert(dims.begin(), parameter.groups);
    dims[1] /= parameter.groups;
  }
  return onednn::row_major(dims);
}

ParameterLayouts::ParameterLayouts(std::vector<nn::Parameter> parameters)
    : parameters_(std::move(parameters)), layouts_(parameters_.size()) {}

const Layout& ParameterLayouts::choose(int parameter, const Layout& preferred) {
  auto& layout = layouts_.at(static_cast<std::size_t>(parameter));
  if (!layout) layout = preferred;
  return *layout;
}

Layout ParameterLayouts::layout(int parameter) const {
  const auto p = static_cast<std::size_t>(parameter);
  return layouts_.at(p).value_or(onednn::any(plain_layout(parameters_.at(p))));
}

void ParameterLayouts::place(const Division& division) {
  constexpr std::uint64_t kAlignment = 64;
  std::uint64_t bytes = 0;
  offsets_.assign(parameters_.size(), 0);
  const auto place_where = [&](auto&& is_next) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (!is_next(parameters_[i])) continue;
      if (!layouts_[i]) layouts_[i] = plain_layout(parameters_[i]);
      offsets_[i] = static_cast<std::int64_t>(bytes);
      bytes += round_up(layouts_[i]->get_size(), kAlignment);
    }
    return static_cast<std::int64_t>(bytes / sizeof(float));
  };
  const auto is_by_outputs = [&](const nn::Parameter& p) {
    return division.is_by_outputs(p.layer);
  };
  divided_elements_ = place_where([&](const auto& p) { return p.trainable && !is_by_outputs(p); });
  trainable_elements_ = place_where([&](const auto& p) { return p.trainable && is_by_outputs(p); });
  elements_ = place_where([](const auto& p) { return !p.trainable; });
}

std::int64_t ParameterLayouts::offset(int parameter) const {
  return offsets_.at(static_cast<std::size_t>(parameter));
}

std::size_t ParameterLayouts::bytes(int parameter) const {
  return layouts_.at(static_cast<std::size_t>(parameter))->get_size();
}

std::int64_t ParameterLayouts::outside_elements(bool trainable_only) const {
  return trainable_only ? nn::trainable_elements(parameters_) : nn::arena_elements(parameters_);
}

void ParameterLayouts::read(const dnnl::engine& engine, const std::byte* arena, bool trainable_only,
                            std::span<float> values) const {
  std::fill(values.begin(), values.end(), 0.0F);  // the gaps between parameters
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (trainable_only && !parameters_[i].trainable) continue;
    onednn::copy(engine, *layouts_[i], arena + offsets_[i], outside_layout(*layouts_[i]),
                 values.data() + parameters_[i].offset);
  }
}

void ParameterLayouts::write(const dnnl::engine& engine, std::span<const float> values,
                             bool trainable_only, std::byte* arena) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (trainable_only && !parameters_[i].trainable) continue;
    onednn::copy(engine, outside_layout(*layouts_[i]), values.data() + parameters_[i].offset,
                 *layouts_[i], arena + offsets_[i]);
  }
}

}  // namespace millrace::cpu
