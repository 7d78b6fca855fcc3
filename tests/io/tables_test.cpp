// Random tables against what Python's csv module and the rule of docs/streaming-data.md say of
// them. tests/reference/record_tables.py records them, and makes more with any seed.

#include <millrace/io/csv.h>
#include <millrace/io/decode.h>

#include "catch.h"
#include "io/scratch.h"

#include <nlohmann/json.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

using namespace millrace;
using namespace millrace::test;

namespace {

using Json = nlohmann::json;

CsvOptions options_of(const Json& table) {
  CsvOptions options;
  if (table.contains("header")) options.header = table["header"].get<bool>();
  options.label = table.value("label", "");
  options.separator = table.value("separator", std::string(1, '\0'))[0];
  if (!table.contains("known")) return options;
  const Json& known = table["known"];
  options.known.columns = known["columns"].get<std::vector<std::string>>();
  options.known.label = known["label"];
  options.known.label_column = known["label_column"];
  options.features = static_cast<std::int64_t>(options.known.columns.size());
  return options;
}

/// All features, as Python's struct.pack(">f") and hex() write them.
std::string features_of(const CsvDataset& rows) {
  std::string hex;
  Decoder decoder;
  std::vector<float> row(static_cast<std::size_t>(rows.natural_shape().elements()));
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    rows.load(i, TensorView(std::span(row), rows.natural_shape()), Filter::nearest, decoder);
    for (const float value : row) {
      std::array<char, 9> digits{};
      (void)std::snprintf(digits.data(), digits.size(), "%08x",
                          std::bit_cast<std::uint32_t>(value));
      hex += digits.data();
    }
  }
  return hex;
}

/// What the recording script writes: the line that is refused, or what is read.
Json reading_of(const std::filesystem::path& file, const CsvOptions& options) {
  try {
    const CsvDataset rows(file, {}, options);
    Json labels = Json::array();
    for (std::uint32_t i = 0; i < rows.size(); ++i) labels.push_back(rows.label(i));
    return {
        {"labels", labels}, {"features", features_of(rows)}, {"columns", rows.table()->columns}};
  } catch (const Error& error) {
    const std::string what = std::string(error.what()).substr(file.string().size());
    return {{"refused", std::strtol(what.c_str() + 1, nullptr, 10)}};
  }
}

}  // namespace

TEST_CASE(
    "random tables are read as Python's csv module and the rule say, or refused with the line") {
  const char* const other = std::getenv("MILLRACE_TABLES");
  const std::string path = other != nullptr ? other : MILLRACE_TEST_DATA "/io/tables.jsonl";
  std::ifstream recorded(path);
  const Scratch scratch;
  int count = 0;
  for (std::string line; std::getline(recorded, line); ++count) {
    const Json table = Json::parse(line);
    const auto file = scratch.write("t.csv", table["text"].get<std::string>());
    Json expected;
    for (const char* key : {"refused", "labels", "features", "columns"}) {
      if (table.contains(key)) expected[key] = table[key];
    }
    INFO(line);
    CHECK(reading_of(file, options_of(table)) == expected);
  }
  CHECK(count >= (other != nullptr ? 1 : 1000));
}
