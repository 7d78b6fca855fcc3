// Tables through the program: first lines, columns by name, options that are kept, scales.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <cmath>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// Rows of "a,b,y": y is 1 where a > b. `columns` says which are written, and in which order.
std::string rows_of(const std::string& columns, int count, char separator = ',',
                    bool has_header = true) {
  std::string text;
  const auto add = [&](char column, const std::string& cell) {
    text += (column == columns.front() ? "" : std::string(1, separator)) + cell;
  };
  if (has_header) {
    for (const char column : columns) add(column, std::string(1, column));
    text += '\n';
  }
  for (int i = 0; i < count; ++i) {
    const int a = i * 37 % 50, b = i * 11 % 40;
    for (const char column : columns) {
      add(column, column == 'a'   ? std::to_string(a)
                  : column == 'b' ? std::to_string(b)
                  : column == 'y' ? std::to_string(a > b ? 1 : 0)
                                  : "?");
    }
    text += '\n';
  }
  return text;
}

const Arguments kSmall = {"--model", "mlp:8", "--epochs", "2", "--batch", "8"};

nn::Model model_of(const fs::path& run) {
  return load_model(run / "model.safetensors").model;
}

/// Loss and accuracy as `evaluate --json` gives them.
std::pair<double, double> measured(const fs::path& model, const fs::path& data,
                                   const Arguments& more = {}) {
  const auto result =
      json_of(run(with({"evaluate", model.string(), data.string(), "--json"}, more)));
  return {result["loss"], result["accuracy"]};
}

}  // namespace

TEST_CASE("inspect data says what it takes a first line for") {
  const Scratch scratch;
  for (const char* first : {"nan", "", "\"1.5\"", "?"}) {
    const auto file = scratch.write("t.csv", std::string(first) + ",2,0\n1,2,1\n3,4,0\n5,6,1\n");
    check_refused({"inspect", "data", file.string()}, 1, "t.csv:1: column 1: ");
    const Outcome header = run({"inspect", "data", file.string(), "--header", "yes"});
    if (std::string(first).empty()) {
      CHECK_THAT(header.err, Contains("column 1 has no name in the header"));
    } else {
      CHECK_THAT(header.out, Contains(": 3 rows; 2 classes"));
    }
  }
  const auto pandas = scratch.write("pandas.csv", "0,1,2\n1,2,1\n3,4,0\n5,6,1\n7,8,0\n");
  const Outcome text = run({"inspect", "data", pandas.string()});
  CHECK_THAT(text.out, Contains("4 rows; 2 classes") &&
                           Contains("taken for a header, as pandas writes it") &&
                           Contains("label     column 3, 2\nfeatures  0, 1\n"));
  const Outcome json = run({"inspect", "data", pandas.string(), "--json"});
  CHECK_THAT(json.err, Contains("taken for a header, as pandas writes it"));
  const auto part = json_of(json)["parts"][0];
  CHECK(part["samples"] == 4);
  CHECK(part["columns"] == nlohmann::json{"0", "1"});
  CHECK(part["label"] == "2");
  CHECK(part["label_column"] == 3);
  CHECK_THAT(run({"inspect", "data", pandas.string(), "--header", "no"}).out,
             Contains("5 rows; 3 classes"));
}

TEST_CASE("columns of a table are not scaled, whatever describes the model") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", rows_of("aby", 20));
  const auto description = [&](const std::string& preprocessing) {
    return scratch
        .write("m.json", R"({"name": "m", "input": [2],)" + preprocessing + R"( "layers": [
          {"name": "a", "kind": "dense", "units": 4}, {"name": "r", "kind": "relu"},
          {"name": "b", "kind": "dense", "units": 2}, {"name": "s", "kind": "softmax"}]})")
        .string();
  };
  const auto scale_of = [&](const Arguments& more) {
    const Outcome outcome =
        trained(data, scratch / "run", with(more, {"--epochs", "1", "--overwrite"}));
    const float scale = model_of(scratch / "run").preprocessing.scale;
    CHECK(holds(outcome.out, "input       as it is\n") == (scale == 1));
    return scale;
  };
  CHECK(scale_of({"--model", "mlp:8"}) == 1);
  CHECK(scale_of({"--model", description("")}) == 1);
  CHECK(scale_of({"--model", description(R"("preprocessing": {"scale": 0.003921569},)")}) == 1);
  const auto old = save_difference(scratch / "old.safetensors", {}, 1.0F / 255);
  CHECK(scale_of({"--model", old.string()}) == 1);
  // What somebody says stays.
  CHECK(scale_of({"--model", description(R"("preprocessing": {"scale": 0.5},)")}) == 0.5F);
  CHECK(scale_of({"--model", description(""), "--scale", "0.25"}) == 0.25F);
  for (const char* family : {"rescale", "tf", "torch", "caffe"}) {
    const Outcome outcome = train(data, scratch / "none", {"--preprocessing", family});
    CHECK(outcome.status == 2);
    CHECK_THAT(outcome.err, Contains("--preprocessing is for images, and the data are rows of 2"));
  }
}

TEST_CASE("models of older programs are measured as they were, also those that divided columns") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", "x,y,z\n3,1,1\n0,2,0\n1,2,1\n");
  for (const float scale : {1.0F, 1.0F / 255, 0.5F}) {
    const auto model = save_difference(scratch / "old.safetensors", {}, scale);
    const auto nll = [&](double difference) { return std::log1p(std::exp(-scale * difference)); };
    const auto [loss, accuracy] = measured(model, data);
    CHECK(loss == Approx((nll(2) + nll(2) + nll(-1)) / 3).epsilon(1e-5));
    CHECK(accuracy == Approx(2.0 / 3));
  }
}

TEST_CASE("evaluate finds columns by name, in any order, and names what it leaves out") {
  const Scratch scratch;
  const auto model = save_difference(scratch / "m.safetensors", kNamed);
  const auto expected = measured(model, scratch.write("same.csv", rows_of("aby", 30)));
  CHECK(expected.second == 1);
  CHECK(measured(model, scratch.write("other.csv", rows_of("yba", 30))) == expected);
  CHECK(measured(model, scratch.write("none.csv", rows_of("aby", 30, ',', false))) == expected);
  const auto more = scratch.write("more.csv", rows_of("ibyka", 30));
  CHECK(measured(model, more) == expected);
  CHECK_THAT(run({"evaluate", model.string(), more.string()}).out,
             Contains("left out 2 columns that the model does not know: 'i', 'k'"));
  const auto path = [](const fs::path& file) { return file.string(); };
  check_refused({"evaluate", model.string(), path(scratch.write("m.csv", rows_of("ay", 4)))}, 1,
                "m.csv:1: has no column 'b', which the model needs");
  check_refused({"evaluate", model.string(), path(scratch.write("m.csv", rows_of("ab", 4)))}, 1,
                "m.csv:1: has no column 'y', which is the label");
  check_refused({"evaluate", model.string(), path(scratch.write("m.csv", "1,2,3,0\n"))}, 1,
                "m.csv:1: has 3 features and a label where the model needs 2");
}

TEST_CASE("a run and its model keep how the table is read") {
  const Scratch scratch;
  const Arguments said = {"--label-column", "y", "--separator", ";", "--header", "yes"};
  const auto data = scratch.write("t.csv", rows_of("yab", 40, ';'));
  trained(data, scratch / "run", with(kSmall, said));
  CHECK(model_of(scratch / "run").table == TableForm{.columns = {"a", "b"},
                                                     .label = "y",
                                                     .label_column = 1,
                                                     .header = true,
                                                     .separator = ';'});
  CHECK_THAT(run({"inspect", (scratch / "run").string()}).out,
             Contains("label     column 1, y\nfeatures  a, b\n"));
  const auto expected = measured(scratch / "run", data);
  CHECK(measured(scratch / "run", scratch.write("other.csv", rows_of("bay", 40, ';'))) == expected);
  CHECK(measured(scratch / "run", scratch.write("comma.csv", rows_of("bay", 40)),
                 {"--separator", ","}) == expected);
  check_refused({"evaluate", (scratch / "run").string(), (scratch / "comma.csv").string()}, 1,
                "if columns are separated by ',': --separator ','");
  // The same data in the usual form give the same weights.
  trained(scratch.write("plain.csv", rows_of("aby", 40)), scratch / "plain", kSmall);
  CHECK(load_model(scratch / "run/model.safetensors").parameters ==
        load_model(scratch / "plain/model.safetensors").parameters);
  trained(scratch.write("last.csv", rows_of("yab", 40)), scratch / "last",
          with(kSmall, {"--label-column", "1"}));
  CHECK(load_model(scratch / "last/model.safetensors").parameters ==
        load_model(scratch / "plain/model.safetensors").parameters);
  // How the file is written is not what the run is.
  const Outcome again = run({"train", "--resume", (scratch / "plain").string(), "--epochs", "3",
                             "--header", "yes", "--label-column", "3"});
  INFO(again.err);
  CHECK(again.status == 0);
  const Outcome resumed = run({"train", "--resume", (scratch / "run").string(), "--epochs", "3"});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
  CHECK(metrics(scratch / "run").size() == 3);
}

TEST_CASE("a tab is kept by its name") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", rows_of("aby", 20, '\t'));
  for (const char* tab : {"tab", "\t", "\\t"}) {
    trained(data, scratch / "run", with(kSmall, {"--separator", tab, "--overwrite"}));
    std::ifstream config(scratch / "run/config.ini");
    const std::string text{std::istreambuf_iterator<char>(config), {}};
    CHECK_THAT(text, Contains("separator = tab\n"));
    CHECK(model_of(scratch / "run").table.separator == '\t');
  }
}

TEST_CASE("a validation table has its columns found by the names of the training table") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", rows_of("aby", 40));
  const auto loss = [&](const std::string& name, const std::string& columns) {
    const auto file = scratch.write(name + ".csv", rows_of(columns, 12));
    trained(data, scratch / name, with(kSmall, {"--validation", file.string()}));
    return column(scratch / name, "val_loss");
  };
  CHECK(loss("same", "aby") == loss("other", "yibka"));
  const auto first = scratch.write("first.csv", rows_of("yab", 40));
  trained(first, scratch / "by_number",
          with(kSmall, {"--label-column", "1", "--validation", (scratch / "same.csv").string()}));
  CHECK(column(scratch / "by_number", "val_loss") == column(scratch / "same", "val_loss"));
  scratch.write("parts/train.csv", rows_of("aby", 40));
  scratch.write("parts/val.csv", rows_of("bya", 12));
  trained(scratch / "parts", scratch / "of_parts", kSmall);
  CHECK(column(scratch / "of_parts", "val_loss") == column(scratch / "same", "val_loss"));
}

TEST_CASE("weights meet the columns that they were trained with, or are refused") {
  const Scratch scratch;
  const auto model = save_difference(scratch / "m.safetensors", kNamed).string();
  const auto data = scratch.write("t.csv", rows_of("bay", 20));
  const Outcome outcome = train(data, scratch / "run", {"--weights", model, "--epochs", "1"});
  CHECK(outcome.status == 2);
  CHECK_THAT(outcome.err,
             Contains("column 1 of the model is 'a', of the data 'b'; give the data's"));
  // As a description it has no weights.
  trained(data, scratch / "run", {"--model", model, "--epochs", "1", "--overwrite"});
  CHECK(model_of(scratch / "run").table.columns == std::vector<std::string>{"b", "a"});
  trained(scratch.write("t.csv", rows_of("aby", 20)), scratch / "run",
          {"--weights", model, "--epochs", "1", "--overwrite"});
}

TEST_CASE("options of tables are checked, and are for tables alone") {
  const Scratch scratch;
  const auto table = scratch.write("t.csv", rows_of("aby", 20)).string();
  const auto images = write_classes(scratch / "pictures", {"a", "b"}, 2).string();
  const auto photo = save_brightness_model(scratch / "photo.safetensors").string();
  check_refused({"inspect", "data", table, "--header", "maybe"}, 2,
                "inspect: --header must be yes or no, not 'maybe'");
  check_refused({"train", table, "--separator", "##"}, 2,
                "train: --separator must be , ; | : or tab, not '##'");
  check_refused({"train", images, "--header", "no"}, 2, "--header is for tables, and");
  check_refused({"inspect", "data", images, "--separator", ";"}, 2, "--separator is for tables");
  check_refused({"evaluate", photo, images, "--label-column", "2"}, 2, "--label-column is for");
  check_refused({"predict", photo, images, "--label-column", "2"}, 2, "--label-column is for");
  check_refused({"inspect", "model", photo, "--label-column", "2"}, 2, "--label-column is for");
  check_refused({"train", table, "--label-column", "4"}, 1,
                "t.csv:1: has no column 4 for --label-column; it has 3 columns");
  check_refused({"inspect", "data", table, "--label-column", "Y"}, 1,
                "has no column 'Y' for --label-column (there is 'y')");
}

TEST_CASE("a run that divided columns by 255 goes on so, whatever its options say") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", rows_of("aby", 20));
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, with(kSmall, {"--scale", "0.00392156862745098"}));
  std::ifstream config(run_dir / "config.ini");
  std::string text{std::istreambuf_iterator<char>(config), {}};
  const std::size_t at = text.find("scale = 0.0039");
  REQUIRE(at != std::string::npos);
  text.erase(at, text.find('\n', at) - at);
  scratch.write("run/config.ini", text);
  const Arguments resume = {"train", "--resume", run_dir.string(), "--epochs", "3"};
  const Outcome told = run(resume);
  CHECK(told.status == 0);
  CHECK_THAT(told.out, Contains("pixel / 255"));
  CHECK(metrics(run_dir).size() == 3);
  const Outcome refused = run(with(resume, {"--scale", "1", "--epochs", "4"}));
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("resume with --scale 0.0039215"));
}
