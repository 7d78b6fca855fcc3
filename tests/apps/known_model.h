#pragma once
// Models whose answers can be worked out by hand, and checks that several tests share.

#include "apps/images.h"
#include "apps/run_program.h"
#include "catch.h"
#include "io/scratch.h"

#include <millrace/nn/model.h>
#include <millrace/training/saved_model.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace millrace::test {

/// p(light) = 1 / (1 + exp(-(10 m - 5))), where m is the mean of the pixels / 255.
inline std::filesystem::path save_brightness_model(const std::filesystem::path& path) {
  const nn::Model model = nn::ModelBuilder("brightness", {16, 16, 3})
                              .global_avg_pool()
                              .dense(1)
                              .sigmoid()
                              .classes({"dark", "light"})
                              .build();
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(parameters)));
  for (const nn::Parameter& p : parameters) {
    const auto offset = static_cast<std::size_t>(p.offset);
    if (p.role == nn::Role::bias) values[offset] = -5.0F;
    if (p.role != nn::Role::kernel) continue;
    for (std::size_t c = 0; c < 3; ++c) values[offset + c] = 10.0F / 3.0F;
  }
  save_model(path, model, values);
  return path;
}

/// What that model says of an image of one brightness.
inline double light_of(int brightness) {
  return 1 / (1 + std::exp(-(10 * brightness / 255.0 - 5)));
}

/// p(one) = 1 / (1 + exp(-(scale * (a - b)))), of a model with such a table.
inline std::filesystem::path save_difference(const std::filesystem::path& path,
                                             const TableForm& table, float scale = 1) {
  nn::Model model = nn::ModelBuilder("difference", {2})
                        .dense(1)
                        .sigmoid()
                        .preprocessing({.scale = scale})
                        .classes({"0", "1"})
                        .build();
  model.table = table;
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(parameters)));
  for (const nn::Parameter& p : parameters) {
    if (p.role != nn::Role::kernel) continue;
    values[static_cast<std::size_t>(p.offset)] = 1;
    values[static_cast<std::size_t>(p.offset) + 1] = -1;
  }
  save_model(path, model, values);
  return path;
}

/// How the table of that model may be laid out.
inline const TableForm kNamed{.columns = {"a", "b"}, .label = "y", .label_column = 3};

/// An image of one brightness, `size` pixels high and wide.
inline std::filesystem::path write_plain(const std::filesystem::path& path, int brightness,
                                         int size = 16) {
  const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size * size * 3),
                                         static_cast<std::uint8_t>(brightness));
  std::filesystem::create_directories(path.parent_path());
  write_file(path, encode_png({pixels.data(), size, size, 3}));
  return path;
}

inline bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The run failed as it should: its status, one line on standard error that holds `part`, and
/// nothing on standard output.
inline void check_refused(const std::vector<std::string>& arguments, int status,
                          const std::string& part) {
  const Outcome outcome = run(arguments);
  INFO("arguments: " << arguments.front() << "; printed: " << outcome.out << outcome.err);
  CHECK(outcome.status == status);
  CHECK(Outcome::lines(outcome.err).size() == 1);
  CHECK(holds(outcome.err, part));
  CHECK(outcome.out.empty());
}

inline nlohmann::json json_of(const Outcome& outcome) {
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  return nlohmann::json::parse(outcome.out);
}

/// What `evaluate --held-out` says of a run.
inline nlohmann::json held_out(const std::filesystem::path& model,
                               const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"evaluate", model.string(), "--held-out", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return json_of(run(arguments));
}

}  // namespace millrace::test
