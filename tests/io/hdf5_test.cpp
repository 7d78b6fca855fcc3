#include <millrace/io/hdf5.h>

#include <millrace/core/random.h>
#include <millrace/io/detail/helper_process.h>

#include "catch.h"
#include "io/hdf5_files.h"
#include "io/scratch.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <limits>
#include <numeric>
#include <thread>

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

std::filesystem::path recorded(const char* name) {
  return std::filesystem::path(MILLRACE_TEST_DATA "/io/weights") / name;
}

std::vector<float> read_all(const Hdf5File& file, std::string_view path) {
  const Hdf5File::Dataset* const dataset = file.find_dataset(path);
  REQUIRE(dataset != nullptr);
  std::vector<float> values(static_cast<std::size_t>(dataset->shape.elements()));
  file.read_rows(*dataset, 0, dataset->shape.rank() == 0 ? 1 : dataset->shape[0], values);
  return values;
}

/// The error of a file that `write` fills; it must name the file.
template <class Write>
std::string error_with(Write write) {
  const Scratch scratch;
  const std::filesystem::path path = scratch / "f.h5";
  {
    const Hdf5Writer writer(path);
    write(writer);
  }
  const std::string error = error_of([&] { Hdf5File file(path); });
  return error.starts_with(path.string()) ? error.substr(path.string().size()) : error;
}

}  // namespace

TEST_CASE("numbers that Keras wrote are read as Keras has them") {
  std::ifstream in(recorded("weights.json"));
  const auto variables = nlohmann::json::parse(in).at("keras_variables");
  const Hdf5File keras3(recorded("keras3.weights.h5"));
  const Hdf5File keras2(recorded("keras2.h5"));
  CHECK(read_all(keras3, "layers/conv2d/vars/0") ==
        variables.at("first/kernel").get<std::vector<float>>());
  CHECK(read_all(keras3, "layers/batch_normalization/vars/3") ==
        variables.at("norm/moving_variance").get<std::vector<float>>());
  CHECK(read_all(keras2, "hidden/sequential/hidden/kernel") ==
        variables.at("hidden/kernel").get<std::vector<float>>());
  CHECK(keras2.find_dataset("hidden/sequential/hidden/kernel")->shape == Shape{20, 6});
  CHECK(keras2.find_dataset("none") == nullptr);
}

TEST_CASE("attributes of text are read, lists and single ones") {
  const Hdf5File keras2(recorded("keras2.h5"));
  const auto& root = keras2.groups().front();
  CHECK(root.path.empty());
  CHECK(root.attributes.at("layer_names") ==
        Hdf5File::Strings{"first", "norm", "pool", "second", "flat", "hidden", "classes"});
  CHECK(root.attributes.at("backend") == Hdf5File::Strings{"tensorflow"});
  CHECK(keras2.find_group("pool")->attributes.at("weight_names").empty());
  CHECK(Hdf5File(recorded("keras3.weights.h5"))
            .find_group("layers/conv2d_1/vars")
            ->attributes.at("name") == Hdf5File::Strings{"second"});
}

TEST_CASE(
    "rows of a data set are read by themselves, of any type with a fraction, and compressed") {
  const Scratch scratch;
  std::vector<float> values(24);
  std::iota(values.begin(), values.end(), -3.0F);
  {
    const Hdf5Writer writer(scratch / "f.h5");
    writer.dataset("double", {4, 3, 2}, values, H5T_IEEE_F64BE);
    const hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    const std::array<hsize_t, 2> chunk{3, 2};
    H5Pset_chunk(plan, 2, chunk.data());
    H5Pset_deflate(plan, 6);
    writer.dataset("packed", {8, 3}, values, H5T_IEEE_F32LE, plan);
    H5Pclose(plan);
    writer.dataset("one", {}, {7.5F});
    writer.dataset("count", {2}, {1, 2}, H5T_STD_I64LE);
  }
  const Hdf5File file(scratch / "f.h5");
  std::vector<float> rows(12);
  file.read_rows(*file.find_dataset("double"), 1, 2, rows);
  CHECK(rows == std::vector<float>(values.begin() + 6, values.begin() + 18));
  CHECK(read_all(file, "packed") == values);
  CHECK(read_all(file, "one") == std::vector<float>{7.5F});
  CHECK_THROWS_WITH(read_all(file, "count"),
                    Contains("f.h5: data set 'count': has type I64; numbers with a fraction"));
  CHECK_THROWS_AS(file.read_rows(*file.find_dataset("one"), 1, 1, rows), std::logic_error);
}

TEST_CASE("files that are no HDF5 files are told in a line") {
  const Scratch scratch;
  CHECK_THROWS_WITH(Hdf5File(scratch.write("a.h5", "no")), Contains("a.h5: not an HDF5 file"));
  CHECK_THROWS_WITH(Hdf5File(scratch.write("b.h5", "{\"layers\": 1234567890}")),
                    Contains("b.h5: not an HDF5 file"));
  CHECK_THROWS_WITH(Hdf5File(scratch / "none.h5"), Contains("none.h5: "));
  std::vector<std::byte> bytes = read_file(recorded("keras2.h5"));
  bytes.resize(bytes.size() - 1);
  CHECK_THROWS_WITH(Hdf5File(scratch.write("cut.h5", bytes)),
                    Contains("cut.h5: ") && Contains("truncated file"));
}

TEST_CASE("links to other files and places are not followed") {
  CHECK(error_with([](const Hdf5Writer& w) {
          H5Lcreate_external("/etc/other.h5", "/kernel", w.id(), "kernel", H5P_DEFAULT,
                             H5P_DEFAULT);
        }) == ": 'kernel': a link to another place or file; those are not followed");
  CHECK(error_with([](const Hdf5Writer& w) {
          w.group("layer");
          H5Lcreate_soft("/layer", w.id(), "again", H5P_DEFAULT, H5P_DEFAULT);
        }) == ": 'again': a link to another place or file; those are not followed");
  CHECK(error_with([](const Hdf5Writer& w) {
          const hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
          H5Pset_external(plan, "/etc/passwd", 0, 16);
          w.dataset("kernel", {4}, {}, H5T_IEEE_F32LE, plan);
          H5Pclose(plan);
        }) == ": data set 'kernel': its numbers lie in another file; those are not read");
}

TEST_CASE("a group that holds itself has no end and is refused") {
  CHECK(error_with([](const Hdf5Writer& w) {
          w.group("a");
          H5Lcreate_hard(w.id(), "a", w.id(), "a/b", H5P_DEFAULT, H5P_DEFAULT);
        }) == ": group 'a/b': reached by two ways");
  CHECK(error_with([](const Hdf5Writer& w) {
          std::string path = "g";
          for (int i = 0; i < 40; ++i, path += "/g") w.group(path);
        }).find("more than 32 groups deep") != std::string::npos);
}

TEST_CASE("shapes that cannot be are refused before anything is read") {
  CHECK(error_with([](const Hdf5Writer& w) {
          w.dataset("kernel", {1 << 20, 1 << 20, 1 << 20}, {});
        }) == ": data set 'kernel': more than 2^31 - 1 elements");
  CHECK(error_with([](const Hdf5Writer& w) {
          w.dataset("kernel", {1000, 1000}, {});  // never filled: no byte of it is there
        }).starts_with(": data set 'kernel': claims 4000000 bytes; the file has "));
  CHECK(error_with([](const Hdf5Writer& w) {
          w.dataset("kernel", {1, 1, 1, 1, 1, 1, 2}, {1, 2});
        }) == ": data set 'kernel': 7 dimensions; at most 6 are read");
  CHECK(error_with([](const Hdf5Writer& w) {
          w.dataset("kernel", {0, 3}, {});
        }) == ": data set 'kernel': is empty");
}

TEST_CASE("numbers that are packed in a way of others are told so, and are not called damaged") {
  constexpr H5Z_filter_t kFilter = 32100;  // of those that anybody may use for tests
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS,
                            kFilter,
                            1,
                            1,
                            "as it is",
                            nullptr,
                            nullptr,
                            [](unsigned, std::size_t, const unsigned*, std::size_t bytes,
                               std::size_t*, void**) { return bytes; }};
  const Scratch scratch;
  const std::filesystem::path path = scratch / "packed.h5";
  H5Zregister(&filter);
  {
    const Hdf5Writer writer(path);
    const hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 4;
    H5Pset_chunk(plan, 1, &chunk);
    H5Pset_filter(plan, kFilter, H5Z_FLAG_MANDATORY, 0, nullptr);
    writer.dataset("kernel", {4}, {1, 2, 3, 4}, H5T_IEEE_F32LE, plan);
    H5Pclose(plan);
  }
  H5Zunregister(kFilter);
  const Hdf5File file(path);
  CHECK_THROWS_WITH(read_all(file, "kernel"),
                    path.string() +
                        ": data set 'kernel': packed by filter 32100 (as it is), which "
                        "is not read; save it again, packed by gzip or not");
}

TEST_CASE("a library that crashes, hangs or fails is an error of the request") {
  using detail::HelperProcess;
  const auto answer = [](std::span<const std::byte> request) -> std::vector<std::byte> {
    switch (static_cast<char>(request[0])) {
      case 'a': std::abort();
      case 'h':
        for (;;) std::this_thread::yield();
      case 't': throw Error("a reason");
      default: return {request.begin(), request.end()};
    }
  };
  const auto ask = [](HelperProcess& helper, const std::string& text) {
    const auto reply = helper.ask(std::as_bytes(std::span(text)), 8);
    return std::string(reinterpret_cast<const char*>(reply.data()), reply.size());
  };
  HelperProcess helper(answer, 10s);
  CHECK(ask(helper, "echo") == "echo");
  CHECK_THROWS_WITH(ask(helper, "t"), "a reason");
  CHECK(ask(helper, "more") == "more");
  CHECK_THROWS_WITH(ask(helper, "a"), "the process that read it crashed (Aborted)");
  CHECK_THROWS_WITH(ask(helper, "x"), "the process that read it is gone");
  HelperProcess patient(answer, 10s);
  CHECK_THROWS_WITH(ask(patient, "longer than wanted"),
                    "the process that read it gave too long an answer");
  HelperProcess hanging(answer, 50ms);
  CHECK_THROWS_WITH(ask(hanging, "h"), "the process that read it gave no answer in 50 ms");
}
