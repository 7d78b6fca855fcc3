#include <millrace/training/options/words.h>

#include <cmath>

namespace millrace {
namespace {

/// Empty where anything is not a number.
std::vector<double> all_numbers(std::string_view text) {
  try {
    return OptionText<std::vector<double>>::read(text);
  } catch (const BadOptionText&) {
    return {};
  }
}

/// A number that reads back as one of Keras's real ones.
std::string real_text(double value) {
  std::string text = OptionText<double>::write(value);
  if (text.find_first_of(".eE") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

nn::LossScaleOptions OptionText<nn::LossScaleOptions>::read(std::string_view text) {
  if (text == "keras") return nn::LossScaleOptions::keras();
  if (text == "torch") return nn::LossScaleOptions::torch();
  nn::LossScaleOptions options;
  try {
    options.initial = OptionText<double>::read(text);
  } catch (const BadOptionText&) {
    options.initial = 0;
  }
  if (options.initial <= 0) throw BadOptionText("keras, torch or a number above 0");
  return options;
}

std::string OptionText<nn::LossScaleOptions>::write(const nn::LossScaleOptions& value) {
  if (value.initial == nn::LossScaleOptions::keras().initial) return "keras";
  if (value.initial == nn::LossScaleOptions::torch().initial) return "torch";
  return OptionText<double>::write(value.initial);
}

ImageSize OptionText<ImageSize>::read(std::string_view text) {
  const std::size_t x = text.find('x');
  try {
    const int height = OptionText<int>::read(text.substr(0, x));
    const int width =
        x == std::string_view::npos ? height : OptionText<int>::read(text.substr(x + 1));
    if (height >= 1 && width >= 1) return {height, width};
  } catch (const BadOptionText&) {
    // Told below.
  }
  throw BadOptionText("N or HxW, for example 150 or 120x160");
}

std::string OptionText<ImageSize>::write(ImageSize value) {
  return concat(value.height, 'x', value.width);
}

ShiftRange OptionText<ShiftRange>::read(std::string_view text) {
  if (text.empty() || text == "none") return {};
  const std::vector<double> numbers = all_numbers(text);
  if (numbers.empty()) {
    throw BadOptionText("a share of the size (0.2), pixels (5) or a list of pixels (0,4,8)");
  }
  if (numbers.size() > 1) return ShiftRange(numbers);
  const bool is_whole = text.find_first_of(".eE") == std::string_view::npos;
  if (is_whole && std::abs(numbers.front()) < 1e6) return static_cast<int>(numbers.front());
  return numbers.front();
}

std::string OptionText<ShiftRange>::write(const ShiftRange& value) {
  switch (value.kind) {
    case ShiftRange::Kind::list: return OptionText<std::vector<double>>::write(value.list);
    case ShiftRange::Kind::whole: return OptionText<int>::write(static_cast<int>(value.most));
    case ShiftRange::Kind::real: break;
  }
  return real_text(value.most);
}

Interval OptionText<Interval>::read(std::string_view text) {
  const std::vector<double> numbers = all_numbers(text);
  if (numbers.size() != 2) throw BadOptionText("LOW,HIGH, such as 0.5,1.5");
  return {numbers[0], numbers[1]};
}

std::string OptionText<Interval>::write(Interval value) {
  return OptionText<std::vector<double>>::write({value.low, value.high});
}

Interval read_zoom(std::string_view text) {
  if (text.empty() || text == "none") return {1, 1};
  const std::vector<double> numbers = all_numbers(text);
  if (numbers.size() == 2) return {numbers[0], numbers[1]};
  if (numbers.size() != 1) throw BadOptionText("Z, meaning 1-Z to 1+Z, or LOW,HIGH");
  if (!(numbers[0] >= 0 && numbers[0] < 1)) {
    throw BadOptionText("in 0 to 1 (not 1 itself), or LOW,HIGH");
  }
  return {1 - numbers[0], 1 + numbers[0]};
}

}  // namespace millrace
