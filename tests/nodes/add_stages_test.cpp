// add_decoding() and add_upload() as whoever composes a graph uses them.

#include "catch.h"
#include "io/scratch.h"
#include "nodes/numbered.h"

#include <millrace/io/class_folder.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/nodes/add_decoding.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/decode_into.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>
#include <sstream>
#include <vector>

using namespace millrace;
using Catch::Contains;
using millrace::test::Scratch;

namespace {

const Shape kSample{4, 4, 1};

struct Seen {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  std::int64_t holes = 0;

  friend bool operator==(const Seen&, const Seen&) = default;
};

using Compose = std::function<Stream<Lease<HostBatch>>(Pipeline&)>;

std::vector<Seen> seen_of(const Compose& compose) {
  std::vector<Seen> seen;
  Pipeline p{{.name = "look", .threads = 2}};
  p.sink(compose(p), {.name = "keep"}, [&](const Lease<HostBatch>& batch) {
    const auto pixels = batch->rows().as<std::uint8_t>();
    seen.push_back({{pixels.begin(), pixels.end()},
                    {batch->labels.begin(), batch->labels.begin() + batch->size},
                    batch->holes});
  });
  (void)p.run();
  return seen;
}

Pool<HostBatch> host_pool(Pipeline& p, DType dtype = DType::u8) {
  return p.pool<HostBatch>("host", 2,
                           HostBatchFactory{.sample = kSample, .dtype = dtype, .capacity = 8});
}

std::shared_ptr<const Dataset> numbered(std::set<std::uint32_t> bad = {}) {
  return std::make_shared<const Numbered>(20, kSample, std::move(bad));
}

}  // namespace

TEST_CASE("decoding in one call gives the batches of its stages one by one") {
  const auto data = numbered({3, 11});
  const ReaderOptions order{.batch = 8, .epochs = 2, .seed = 4, .ticket_samples = 3};
  const AugmentOptions augment{.horizontal_flip = true, .crop_padding = 1};
  const std::vector<Seen> one_by_one = seen_of([&](Pipeline& p) {
    auto tickets =
        p.source({.name = "list"}, host_pool(p), DirectoryReader(SampleSet::all(data), {}, order));
    auto pixels = p.then(tickets, {.name = "decode", .on_error = skip()},
                         DecodeInto(data, data, Filter::bilinear));
    auto changed = p.then(pixels, {.name = "augment"}, Augment(augment, 9, kSample));
    return p.then(p.gather(changed), {.name = "batch"}, Batcher{});
  });
  const std::vector<Seen> at_once = seen_of([&](Pipeline& p) {
    return add_decoding(p, host_pool(p), DirectoryReader(SampleSet::all(data), {}, order),
                        {.sample = kSample, .on_bad_image = skip(), .augment = augment, .seed = 9});
  });
  CHECK(at_once.size() == 6);
  CHECK(at_once == one_by_one);
}

TEST_CASE("decoding takes the tickets of a source of one's own") {
  // The hard samples, by their numbers, in an order that no reader has.
  const std::vector<std::uint32_t> chosen{17, 2, 9, 4};
  const std::vector<Seen> seen = seen_of([&](Pipeline& p) {
    auto tickets = p.source(
        {.name = "hard ones"}, host_pool(p), [chosen](Lease<HostBatch> batch, Emit<Ticket>& emit) {
          batch->size = static_cast<std::int64_t>(chosen.size());
          batch->tag = {.steps = 1, .ends_phase = true, .ends_epoch = true, .ends_run = true};
          for (std::size_t i = 0; i < chosen.size(); ++i) {
            batch->index[i] = chosen[i];
            batch->labels[i] = static_cast<std::int32_t>(chosen[i]);
            batch->valid[i] = 0;
          }
          emit({batch, 0, static_cast<std::uint32_t>(chosen.size())});
          return false;
        });
    return add_decoding(p, tickets, numbered(), nullptr, {.sample = kSample});
  });
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].labels == std::vector<std::int32_t>{17, 2, 9, 4});
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    CHECK(seen[0].pixels[16 * i + 5] == Numbered::pixel(chosen[i], 5));
  }
}

TEST_CASE("decoding leaves out the stages that are not asked for") {
  const auto plan_of = [](const DecodingOptions& options, DType dtype) {
    Pipeline p{{.name = "plan", .threads = 2}};
    auto batches =
        add_decoding(p, host_pool(p, dtype),
                     DirectoryReader(SampleSet::all(numbered()), {}, {.batch = 8}), options);
    p.sink(batches, {.name = "drop"}, [](const Lease<HostBatch>&) {});
    std::ostringstream text;
    text << p.plan();
    return text.str();
  };
  const std::string plain = plan_of({.sample = kSample}, DType::u8);
  CHECK_THAT(plain, Contains("decode") && !Contains("augment") && !Contains("standardize"));
  const std::string whole = plan_of({.sample = kSample,
                                     .preprocessing = {.samplewise_center = true},
                                     .augment = AugmentOptions{}},
                                    DType::f32);
  CHECK_THAT(whole, Contains("augment") && Contains("standardize"));
}

TEST_CASE("samples that are looked at as a whole leave decoding as the model's input") {
  std::vector<double> means;
  Pipeline p{{.name = "whole", .threads = 2}};
  const nn::Preprocessing preprocessing{.samplewise_center = true};
  auto batches =
      add_decoding(p, host_pool(p, nn::host_dtype(preprocessing, DType::u8)),
                   DirectoryReader(SampleSet::all(numbered()), {}, {.batch = 8, .shuffle = false}),
                   {.sample = kSample, .preprocessing = preprocessing});
  p.sink(batches, {.name = "keep"}, [&](const Lease<HostBatch>& batch) {
    for (std::int64_t i = 0; i < batch->size; ++i) {
      const auto row = batch->row(i).as<float>();
      means.push_back(std::accumulate(row.begin(), row.end(), 0.0) / 16);
    }
  });
  (void)p.run();
  REQUIRE(means.size() == 20);
  for (const double mean : means) CHECK(mean == Approx(0).margin(1e-6));
}

TEST_CASE("images are read as the preprocessing has it, whatever the decoder's bounds say") {
  const Scratch scratch;
  const std::filesystem::path file = MILLRACE_TEST_DATA "/io/orientation/6.png";
  for (const char* name : {"a", "b"}) {
    std::filesystem::create_directories(scratch / "photos" / name);
    std::filesystem::copy_file(file, scratch / "photos" / name / "1.png");
  }
  const auto photos = std::make_shared<const ClassFolder>(scratch / "photos");
  for (const bool upright : {false, true}) {
    std::vector<std::uint8_t> expected(16);
    Decoder decoder({.exif_orientation = upright});
    decoder.decode_file(file, {expected.data(), 4, 4, 1}, Filter::box);
    const std::vector<Seen> seen = seen_of([&](Pipeline& p) {
      return add_decoding(p, host_pool(p),
                          DirectoryReader(SampleSet::all(photos), {}, {.batch = 8}),
                          {.sample = kSample,
                           .preprocessing = {.filter = "box", .exif_orientation = upright},
                           .decoder = {.exif_orientation = !upright}});
    });
    REQUIRE(seen.size() == 1);
    CHECK(std::vector(seen[0].pixels.begin(), seen[0].pixels.begin() + 16) == expected);
  }
}

TEST_CASE("an upload gives what a step reads, over as many slots as it is told") {
  Pipeline p{{.name = "upload", .threads = 2}};
  const nn::Preprocessing preprocessing{.scale = 0.5F, .mean = {3}, .deviation = {2}};
  auto batches =
      add_decoding(p, host_pool(p),
                   DirectoryReader(SampleSet::all(numbered()), {}, {.batch = 8, .shuffle = false}),
                   {.sample = kSample, .preprocessing = preprocessing});
  auto inputs = add_upload(p, batches,
                           {.batches = {.engine = std::make_shared<const nn::ReferenceEngine>(),
                                        .sample = kSample,
                                        .capacity = 8},
                            .preprocessing = preprocessing,
                            .slots = 1});
  std::uint32_t sample = 0;
  p.sink(inputs, {.name = "step", .on = On::engine}, [&](const Lease<DeviceBatch>& lease) {
    const nn::Batch batch = lease->view();
    for (std::int64_t i = 0; i < batch.samples; ++i, ++sample) {
      CHECK(batch.labels.as<std::int32_t>()[static_cast<std::size_t>(i)] ==
            static_cast<std::int32_t>(sample % 2));
      const float expected = (static_cast<float>(Numbered::pixel(sample, 5)) * 0.5F - 3) / 2;
      CHECK(batch.input.as<float>()[static_cast<std::size_t>(16 * i + 5)] == Approx(expected));
    }
  });
  const std::vector<Budget::Charge> charges = p.plan().charges;
  const auto slots = std::find_if(charges.begin(), charges.end(), [](const Budget::Charge& c) {
    return c.name == "device batches";
  });
  REQUIRE(slots != charges.end());
  CHECK(slots->count == 1);
  (void)p.run();
  CHECK(sample == 20);
}

TEST_CASE("an upload that is told no preprocessing divides pixels by 255 and leaves features") {
  const auto [sample, dtype, expected] = GENERATE(
      table<Shape, DType, float>({{{1, 2, 1}, DType::u8, 0.2F}, {{2}, DType::f32, 0.75F}}));
  Pipeline p{{.name = "upload", .threads = 2}};
  auto host = p.pool<HostBatch>("host", 1,
                                HostBatchFactory{.sample = sample, .dtype = dtype, .capacity = 1});
  auto batches = p.source("fill", host, [](Lease<HostBatch> batch, Emit<Lease<HostBatch>>& emit) {
    batch->size = 1;
    const TensorView row = batch->row(0);
    if (row.dtype == DType::u8)
      std::ranges::fill(row.as<std::uint8_t>(), std::uint8_t{51});
    else
      std::ranges::fill(row.as<float>(), 0.75F);
    emit(batch);
    return false;
  });
  auto inputs = add_upload(p, batches,
                           {.batches = {.engine = std::make_shared<const nn::ReferenceEngine>(),
                                        .sample = sample,
                                        .dtype = dtype,
                                        .capacity = 1}});
  int seen = 0;
  p.sink(inputs, "step", [&, value = expected](const Lease<DeviceBatch>& batch) {
    for (const float x : batch->view().input.as<float>()) seen += x == Approx(value) ? 1 : 0;
  });
  p.run();
  CHECK(seen == 2);
}

TEST_CASE("decoders of a pipeline share out what its budget has for them") {
  const DecoderOptions some = decoders_within(512_MiB, 4, 1000);
  CHECK(some.max_scratch == 4_MiB);  // a thirty-second of it, shared out between four
  CHECK(some.max_pixels == 1000);
  REQUIRE(some.large != nullptr);
  const DecoderOptions unbounded = decoders_within({}, 4);
  CHECK(unbounded.max_scratch == DecoderOptions{}.max_scratch);
  CHECK(unbounded.large == nullptr);
}
