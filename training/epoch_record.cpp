#include <millrace/training/epoch_record.h>

#include <millrace/core/error.h>

#include <charconv>
#include <sstream>

namespace millrace {
namespace {

constexpr int kIsBest = 1, kHasNoAccuracy = 2;  // of older programs there is the first alone

/// Fields separated by tabs. Hexadecimal floating point, so that a number comes back to the bit.
class Fields {
 public:
  explicit Fields(const std::string& line) : in_(line) {}
  std::string text() {
    std::string field;
    if (!std::getline(in_, field, '\t')) throw Error("a record of an epoch ends too early");
    return field;
  }
  template <class T>
  T number() {
    const std::string field = text();
    const char* const end = field.data() + field.size();
    T value{};
    std::from_chars_result read{};
    if constexpr (std::is_floating_point_v<T>)
      read = std::from_chars(field.data(), end, value, std::chars_format::hex);
    else
      read = std::from_chars(field.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end)
      throw Error(concat("a record of an epoch holds '", field, "' in place of a number"));
    return value;
  }
  [[nodiscard]] bool at_end() { return in_.peek() == std::istringstream::traits_type::eof(); }

 private:
  std::istringstream in_;
};

void put(std::string& line, double value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::hex).ptr;
  line.append(text, end).push_back('\t');
}

template <class Integer>
void put_integer(std::string& line, Integer value) {
  line += std::to_string(value) + '\t';
}

void put(std::string& line, const nn::StepResult& result) {
  put(line, result.loss_sum);
  put(line, result.weight_sum);
  put_integer(line, result.correct);
  put_integer(line, result.samples);
}

nn::StepResult result_of(Fields& fields) {
  nn::StepResult result;
  result.loss_sum = fields.number<double>();
  result.weight_sum = fields.number<double>();
  result.correct = fields.number<std::int64_t>();
  result.samples = fields.number<std::int64_t>();
  return result;
}

}  // namespace

std::optional<double> EpochRecord::value(std::string_view name) const {
  if (name == "loss") return training.mean_loss();
  if (name == "accuracy" && has_accuracy) return training.accuracy();
  if (name == "learning_rate") return learning_rate;
  if (validation && validation->samples > 0) {
    if (name == "val_loss") return validation->mean_loss();
    if (name == "val_accuracy" && has_accuracy) return validation->accuracy();
  }
  for (const auto& [known, number] : extra) {
    if (name == known) return number;
  }
  return std::nullopt;
}

std::string to_text(const EpochRecord& record) {
  std::string line;
  put_integer(line, record.epoch);
  put(line, record.training);
  put_integer(line, record.validation ? 1 : 0);
  if (record.validation) put(line, *record.validation);
  put_integer(line, record.holes);
  put(line, record.learning_rate);
  put_integer(line, record.global_step);
  put(line, record.training_s);
  put(line, record.seconds);
  put_integer(line, (record.is_best ? kIsBest : 0) + (record.has_accuracy ? 0 : kHasNoAccuracy));
  for (const auto& [name, number] : record.extra) {
    line += name + '\t';
    put(line, number);
  }
  return line;
}

EpochRecord epoch_from_text(const std::string& line) {
  Fields fields(line);
  EpochRecord record;
  record.epoch = fields.number<std::uint32_t>();
  record.training = result_of(fields);
  if (fields.number<int>() == 1) record.validation = result_of(fields);
  record.holes = fields.number<std::int64_t>();
  record.learning_rate = fields.number<double>();
  record.global_step = fields.number<std::uint64_t>();
  record.training_s = fields.number<double>();
  record.seconds = fields.number<double>();
  const int flags = fields.number<int>();
  record.is_best = (flags & kIsBest) != 0;
  record.has_accuracy = (flags & kHasNoAccuracy) == 0;
  while (!fields.at_end()) {
    std::string name = fields.text();
    const double number = fields.number<double>();
    record.extra.emplace_back(std::move(name), number);
  }
  return record;
}

}  // namespace millrace
