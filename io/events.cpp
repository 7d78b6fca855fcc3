#include <millrace/io/events.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/crc32c.h>
#include <millrace/io/png.h>

#include <event.pb.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileVersion = "brain.Event:2";
enum TensorType { kFloat = 1, kDouble = 2, kString = 7 };

// A file of a name that nobody has: a second writer within the second gets the next number.
fs::path unused_path(const fs::path& folder, double seconds) {
  create_folders(folder);
  utsname system{};
  ::uname(&system);
  for (int number = 0;; ++number) {
    std::ostringstream name;
    name << "events.out.tfevents." << std::setw(10) << std::setfill('0')
         << static_cast<std::int64_t>(seconds) << '.' << system.nodename << '.' << ::getpid() << '.'
         << number << ".v2";
    const fs::path path = folder / std::move(name).str();
    if (!fs::exists(path)) return path;
  }
}

void put(std::string& into, const auto& value) {
  into.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// length, its checksum, data, their checksum; numbers little-endian.
std::string framed(std::string_view data) {
  const std::uint64_t length = data.size();
  std::string record;
  record.reserve(data.size() + 16);
  put(record, length);
  put(record, detail::masked_crc32c(std::as_bytes(std::span(&length, 1))));
  record.append(data);
  put(record, detail::masked_crc32c(std::as_bytes(std::span(data))));
  return record;
}

struct Bucket {
  double left = 0;
  double right = 0;
  double count = 0;
};

// The rule of TensorBoard's own writer: equal widths, the last bucket closed on both sides.
std::vector<Bucket> buckets_of(std::span<const float> all, int count) {
  std::vector<double> values;
  std::copy_if(all.begin(), all.end(), std::back_inserter(values),
               [](float value) { return std::isfinite(value); });
  std::vector<Bucket> buckets(static_cast<std::size_t>(count));
  if (values.empty()) return buckets;
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  const double low = *least;
  const double width = (*greatest - low) / count;
  const double last = count - 1;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    buckets[i].left = low + width * static_cast<double>(i);
    buckets[i].right = low + width * static_cast<double>(i + 1);
  }
  buckets.back().right = *greatest;
  for (const double value : values) {
    const double place = width > 0 ? std::min(std::floor((value - low) / width), last) : last;
    buckets[static_cast<std::size_t>(place)].count += 1;
  }
  return buckets;
}

}  // namespace

EventWriter::EventWriter(const fs::path& folder, Clock clock)
    : clock_(std::move(clock)), opened_(clock_()), file_(unused_path(folder, opened_)) {
  event::Event first;
  first.set_wall_time(opened_);
  first.set_file_version(kFileVersion);
  append(first);
}

double EventWriter::system_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

template <class Message>
void EventWriter::append(const Message& event) {
  file_.append(framed(event.SerializeAsString()));
}

template <class Fill>
void EventWriter::add(std::string_view tag, std::string_view plugin, std::int64_t step, Fill fill) {
  event::Event event;
  event.set_wall_time(clock_());
  event.set_step(step);
  event::Summary::Value& value = *event.mutable_summary()->add_value();
  value.set_tag(std::string(tag));
  value.mutable_metadata()->mutable_plugin()->set_name(std::string(plugin));
  fill(*value.mutable_tensor());
  append(event);
}

void EventWriter::scalar(std::string_view tag, std::int64_t step, double value) {
  add(tag, "scalars", step, [&](event::Tensor& tensor) {
    tensor.set_dtype(kFloat);
    tensor.add_float_val(static_cast<float>(value));
  });
}

void EventWriter::image(std::string_view tag, std::int64_t step, ConstImageView image) {
  this->image(tag, step, encode_png(image), image.height, image.width);
}

void EventWriter::image(std::string_view tag, std::int64_t step, std::span<const std::byte> png,
                        int height, int width) {
  add(tag, "images", step, [&](event::Tensor& tensor) {
    tensor.set_dtype(kString);
    tensor.mutable_shape()->add_dim()->set_size(3);
    tensor.add_string_val(std::to_string(width));
    tensor.add_string_val(std::to_string(height));
    tensor.add_string_val(reinterpret_cast<const char*>(png.data()), png.size());
  });
}

void EventWriter::histogram(std::string_view tag, std::int64_t step, std::span<const float> values,
                            int buckets) {
  MILLRACE_CHECK(buckets >= 1, "a histogram needs a bucket, not ", buckets);
  add(tag, "histograms", step, [&](event::Tensor& tensor) {
    tensor.set_dtype(kDouble);
    tensor.mutable_shape()->add_dim()->set_size(buckets);
    tensor.mutable_shape()->add_dim()->set_size(3);
    for (const Bucket& bucket : buckets_of(values, buckets)) {
      for (const double x : {bucket.left, bucket.right, bucket.count}) tensor.add_double_val(x);
    }
  });
}

}  // namespace millrace
