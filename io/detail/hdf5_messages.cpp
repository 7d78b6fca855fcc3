#include <millrace/io/detail/hdf5_messages.h>

#include <millrace/core/error.h>

#include <algorithm>

namespace millrace::detail {
namespace {

Shape read_shape(MessageReader& reader) {
  Shape shape, reversed;
  std::uint64_t elements = 1;
  for (std::uint64_t rank = reader.number(); rank > 0; --rank) {
    const std::uint64_t extent = reader.number();
    if (reversed.rank() == Shape::kMaxRank || extent == 0 || extent > (1U << 31) ||
        (elements *= extent) > (1U << 31)) {
      throw Error("damaged: a shape makes no sense");
    }
    reversed = reversed.with_front(static_cast<std::int64_t>(extent));
  }
  for (const std::int64_t extent : reversed.extents()) shape = shape.with_front(extent);
  return shape;
}

}  // namespace

std::uint64_t MessageReader::number() {
  std::uint64_t value = 0;
  std::ranges::copy(take(sizeof(value)), std::as_writable_bytes(std::span(&value, 1)).begin());
  return value;
}

std::string MessageReader::text() {
  const auto part = take(number());
  return {reinterpret_cast<const char*>(part.data()), part.size()};
}

std::span<const std::byte> MessageReader::take(std::uint64_t count) {
  if (count > bytes_.size()) throw Error("damaged: its list of contents makes no sense");
  const auto part = bytes_.first(static_cast<std::size_t>(count));
  bytes_ = bytes_.subspan(part.size());
  return part;
}

std::vector<std::byte> packed(const Hdf5Contents& contents) {
  MessageWriter writer;
  writer.number(contents.groups.size());
  for (const Hdf5Group& group : contents.groups) {
    writer.text(group.path);
    writer.number(group.attributes.size());
    for (const auto& [name, values] : group.attributes) {
      writer.text(name);
      writer.number(values.size());
      for (const std::string& value : values) writer.text(value);
    }
  }
  writer.number(contents.datasets.size());
  for (const Hdf5Dataset& dataset : contents.datasets) {
    writer.text(dataset.path);
    writer.text(dataset.type);
    writer.number(static_cast<std::uint64_t>(dataset.shape.rank()));
    for (const std::int64_t extent : dataset.shape.extents()) {
      writer.number(static_cast<std::uint64_t>(extent));
    }
  }
  return std::move(writer).take();
}

Hdf5Contents unpacked(std::span<const std::byte> bytes) {
  MessageReader reader(bytes);
  Hdf5Contents contents;
  for (std::uint64_t groups = reader.number(); groups > 0; --groups) {
    Hdf5Group& group = contents.groups.emplace_back();
    group.path = reader.text();
    for (std::uint64_t attributes = reader.number(); attributes > 0; --attributes) {
      Hdf5Strings& values = group.attributes[reader.text()];
      for (std::uint64_t texts = reader.number(); texts > 0; --texts) {
        values.push_back(reader.text());
      }
    }
  }
  for (std::uint64_t datasets = reader.number(); datasets > 0; --datasets) {
    Hdf5Dataset& dataset = contents.datasets.emplace_back();
    dataset.path = reader.text();
    dataset.type = reader.text();
    dataset.shape = read_shape(reader);
  }
  return contents;
}

}  // namespace millrace::detail
