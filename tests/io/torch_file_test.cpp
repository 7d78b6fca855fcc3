// Files that torch.save wrote (tests/reference/record_torch_weights.py).

#include <millrace/io/torch_file.h>
#include <millrace/io/weight_file.h>

#include "catch.h"
#include "io/torch_files.h"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

const std::string kFolder = MILLRACE_TEST_DATA "/io/weights/";

std::size_t place_of(const TorchFile& file, std::string_view name) {
  const auto found = std::find_if(file.tensors().begin(), file.tensors().end(),
                                  [&](const auto& tensor) { return tensor.name == name; });
  REQUIRE(found != file.tensors().end());
  return static_cast<std::size_t>(found - file.tensors().begin());
}

std::vector<float> values_of(const TorchFile& file, std::string_view name) {
  const std::size_t place = place_of(file, name);
  std::vector<float> values(static_cast<std::size_t>(file.tensors()[place].shape.elements()));
  file.read(place, 0, values);
  return values;
}

}  // namespace

TEST_CASE("tensors of torch.save have PyTorch's values, whatever their types, strides, offsets") {
  const auto text = text_of(kFolder + "tensors.json");
  const auto recorded = nlohmann::json::parse(text);
  for (const char* name : {"tensors_zip.pth", "tensors_legacy.pth", "tensors_zip64.pth"}) {
    const TorchFile file(kFolder + name);
    CHECK(file.tensors().size() == recorded.size() + 3);  // three have no fractions
    for (const auto& [tensor, expected] : recorded.items()) {
      INFO(name << ' ' << tensor);
      CHECK(values_of(file, tensor) == expected.at("values").get<std::vector<float>>());
      const auto extents = file.tensors()[place_of(file, tensor)].shape.extents();
      CHECK(std::vector<std::int64_t>(extents.begin(), extents.end()) ==
            expected.at("shape").get<std::vector<std::int64_t>>());
    }
  }
}

TEST_CASE("an archive as large ones are is found by the record of 64 bits alone") {
  const Scratch scratch;
  std::string bytes = text_of(kFolder + "tensors_zip64.pth");
  std::fill(bytes.end() - 14, bytes.end() - 2, '\xFF');  // counts, size and place, as over 4 GiB
  const TorchFile file(scratch.write("large.pth", bytes));
  const TorchFile whole(kFolder + "tensors_zip.pth");
  CHECK(values_of(file, "turned") == values_of(whole, "turned"));
  const auto with = [&](std::size_t from_end, char byte) {
    std::string damaged = bytes;
    damaged[damaged.size() - from_end] = byte;
    return error_of([&] { const TorchFile opened(scratch.write("damaged.pth", damaged)); });
  };
  // From its end: 22 bytes that are old, 20 that tell where the record of 56 is.
  CHECK_THAT(with(22 + 20 - 15, '\x7F'), Contains("its directory is not where it says"));
  CHECK_THAT(with(22 + 20 - 8, '\x01'), Contains("its directory is not where it says"));
  CHECK_THAT(with(22 + 20 + 56 - 24, '\x7F'), Contains("one part of an archive of several files"));
  CHECK_THAT(with(22 + 20 + 56 - 55, '\x7F'), Contains("its directory is not where it says"));
}

TEST_CASE("a part of a tensor that is not contiguous is read, from any element on") {
  const TorchFile file(kFolder + "tensors_zip.pth");
  const std::vector<float> whole = values_of(file, "turned");
  const std::size_t place = place_of(file, "turned");
  for (std::size_t first = 0; first < whole.size(); first += 7) {
    std::vector<float> part(std::min<std::size_t>(11, whole.size() - first));
    file.read(place, first, part);
    CHECK(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(first)));
  }
}

TEST_CASE("a tensor of PyTorch without fractions is listed and is no weight") {
  const TorchFile file(kFolder + "tensors_legacy.pth");
  const std::size_t count = place_of(file, "count");
  CHECK(file.tensors()[count].dtype == "I64");
  std::vector<float> one(1);
  CHECK_THROWS_WITH(file.read(count, 0, one),
                    kFolder +
                        "tensors_legacy.pth: tensor 'count': has type I64; F32, F16, BF16 and F64 "
                        "are read as weights");
}

TEST_CASE("the state_dict of a checkpoint is found beside what else a training keeps") {
  const WeightFile file(kFolder + "network_checkpoint.pth");
  CHECK(file.wrapper() == "module.");
  CHECK(!file.is_keras());
  const WeightFile plain(kFolder + "network_zip.pth");
  REQUIRE(file.tensors().size() == plain.tensors().size());
  for (std::size_t i = 0; i < plain.tensors().size(); ++i) {
    CHECK(file.tensors()[i].name == "module." + plain.tensors()[i].name);
    CHECK(file.tensors()[i].shape == plain.tensors()[i].shape);
  }
}

TEST_CASE("a file of torch.save with tensors in two places is refused by the names of both") {
  const Scratch scratch;
  using namespace pickled;
  const std::string weights = dict("w", tensor(storage("0", 4), 0, {2, 2}, {2, 1}));
  const std::string both = "}(" + text("model") + weights + text("ema") + weights + "u";
  const auto path = scratch.write("two.pth", legacy_file(whole(both)));
  CHECK_THROWS_WITH(TorchFile(path),
                    path.string() +
                        ": holds tensors in more than one place, model and ema; save the one that "
                        "is meant alone");
}

TEST_CASE("numbers of an archive whose checksum is another are an error that names the tensor") {
  const Scratch scratch;
  std::string bytes = text_of(kFolder + "network_zip.pth");
  const TorchFile file(kFolder + "network_zip.pth");
  const TorchFile::Tensor& tensor = file.tensors()[place_of(file, "conv2.weight")];
  bytes[tensor.offset + 9] = static_cast<char>(bytes[tensor.offset + 9] ^ 1);
  const TorchFile damaged(scratch.write("damaged.pth", bytes));
  CHECK_THROWS_WITH(values_of(damaged, "conv2.weight"),
                    (scratch / "damaged.pth").string() +
                        ": tensor 'conv2.weight': its numbers are damaged (the checksum is "
                        "another); get the file again");
  CHECK(values_of(damaged, "conv1.weight") == values_of(file, "conv1.weight"));
}
