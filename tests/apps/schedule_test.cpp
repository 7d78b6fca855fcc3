// Options of `train` about a step: the learning rate over time, labels, loss and gradients.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <cmath>
#include <numbers>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

/// Three steps an epoch, of four samples each.
std::filesystem::path write_table(const Scratch& scratch) {
  std::string text;
  for (int i = 0; i < 12; ++i) text += std::to_string(i * 0.1) + ',' + (i < 6 ? "0\n" : "1\n");
  return scratch.write("table.csv", text);
}

Arguments with(Arguments more) {
  Arguments all{"--model", "mlp:4", "--batch", "4", "--validation-share", "0", "--quiet"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<double> numbers(const std::filesystem::path& run, const std::string& name) {
  std::vector<double> values;
  for (const std::string& text : column(run, name)) values.push_back(std::stod(text));
  return values;
}

}  // namespace

TEST_CASE("train follows a schedule over all steps of the run, after a warm-up") {
  const Scratch scratch;
  const auto data = write_table(scratch);
  const auto run_dir = scratch / "run";
  trained(data, run_dir,
          with({"--epochs", "5", "--learning-rate", "0.1", "--schedule", "cosine", "--end-factor",
                "0.1", "--warmup-steps", "3", "--warmup-from", "0.5"}));
  const std::vector<double> rates = numbers(run_dir, "learning_rate");
  REQUIRE(rates.size() == 5);
  CHECK(rates[0] == Approx(0.1 * (0.5 + 0.5 * 2 / 3)).epsilon(1e-7));  // of the third step
  for (std::size_t epoch = 1; epoch < 5; ++epoch) {
    const double share = static_cast<double>(3 * epoch - 1) / 12;
    const double expected = 0.09 * 0.5 * (1 + std::cos(std::numbers::pi * share)) + 0.01;
    CHECK(rates[epoch] == Approx(expected).epsilon(1e-7));
  }
  std::ifstream config(run_dir / "config.ini");
  const std::string text{std::istreambuf_iterator<char>(config), {}};
  CHECK_THAT(text, Contains("decay-steps = 12"));
}

TEST_CASE("train changes the rate at milestones") {
  const Scratch scratch;
  const auto run_dir = scratch / "run";
  trained(write_table(scratch), run_dir,
          with({"--epochs", "4", "--learning-rate", "1", "--optimizer", "sgd", "--schedule",
                "piecewise", "--milestones", "5,6", "--milestone-factors", "0.5,0.125"}));
  CHECK(numbers(run_dir, "learning_rate") == std::vector<double>{1, 0.5, 0.125, 0.125});
}

TEST_CASE("train adds L2 to the loss, and clips to almost nothing if it is told so") {
  const Scratch scratch;
  const auto data = write_table(scratch);
  const Arguments still{"--epochs",        "2",   "--optimizer",        "sgd",
                        "--learning-rate", "0.5", "--clip-global-norm", "1e-9"};
  trained(data, scratch / "plain", with(still));
  const std::vector<double> plain = numbers(scratch / "plain", "loss");
  CHECK(plain[0] == Approx(plain[1]).epsilon(1e-6));

  Arguments more = still;
  more.insert(more.end(), {"--l2", "0.5"});
  trained(data, scratch / "l2", with(more));
  CHECK(numbers(scratch / "l2", "loss")[0] > plain[0] + 0.01);

  more = still;
  more.insert(more.end(), {"--label-smoothing", "0.9"});
  trained(data, scratch / "smooth", with(more));
  CHECK(numbers(scratch / "smooth", "loss")[0] != Approx(plain[0]).epsilon(1e-6));
}

TEST_CASE("train writes a log of epochs as Keras's CSVLogger does") {
  const Scratch scratch;
  const auto run_dir = scratch / "run";
  const auto log = scratch / "log.csv";
  trained(write_table(scratch), run_dir, with({"--epochs", "2", "--csv-log", log.string()}));
  std::ifstream file(log);
  std::string line;
  std::getline(file, line);
  CHECK(line == "epoch,accuracy,loss,val_accuracy,val_loss\r");
  const std::vector<double> losses = numbers(run_dir, "loss");
  for (std::size_t epoch = 0; epoch < 2; ++epoch) {
    REQUIRE(std::getline(file, line));
    CHECK(line.starts_with(std::to_string(epoch) + ","));
    CHECK(line.ends_with(",NA,NA\r"));
    CHECK(std::stod(line.substr(line.find(',', 2) + 1)) == Approx(losses[epoch]).epsilon(1e-8));
  }
  CHECK_FALSE(std::getline(file, line));
}

TEST_CASE("A schedule that cannot be meant is refused in one line") {
  const Scratch scratch;
  const std::string data = write_table(scratch).string();
  const auto refused = [&](const Arguments& options, const std::string& part) {
    Arguments arguments{"train", data, "--run-dir", (scratch / "run").string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    check_refused(arguments, 2, part);
    CHECK_FALSE(std::filesystem::exists(scratch / "run"));
  };
  refused({"--schedule", "cosin"}, "--schedule: unknown schedule 'cosin'; known: constant");
  refused({"--schedule", "cosine", "--warmup-steps", "1000"}, "would end before it begins");
  refused({"--schedule", "cosine", "--decay-steps", "-1"}, "--decay-steps must be 1 or more");
  refused({"--decay-steps", "100"}, "--decay-steps has no effect without a --schedule");
  refused({"--schedule", "step"}, "needs --decay-steps");
  refused({"--schedule", "piecewise"}, "needs --milestones");
  refused({"--schedule", "piecewise", "--milestones", "3,2"}, "ascending");
  refused({"--schedule", "piecewise", "--milestones", "3,x"},
          "--milestones must be a list with commas, each a whole number, not '3,x'");
  refused({"--schedule", "cosine", "--milestones", "3"},
          "--milestones has no effect without --schedule piecewise");
  refused({"--decay-rate", "0"}, "--decay-rate must be above 0");
  refused({"--label-smoothing", "1"}, "--label-smoothing must be in [0, 1)");
  refused({"--l2", "-1"}, "--l2 must be 0 or more");
  refused({"--clip-norm", "1", "--clip-value", "1"}, "at most one");
}

TEST_CASE("steps of several batches are those of one batch as large, but for rounding") {
  const Scratch scratch;
  const auto data = write_classes(scratch / "data", {"dark", "light"}, 25);
  const Arguments both{"--model",    "mlp:8",  "--epochs",    "4",
                       "--schedule", "cosine", "--optimizer", "sgd"};
  trained(data, scratch / "parts", with(both, {"--batch", "4", "--accumulate", "3"}));
  trained(data, scratch / "whole", with(both, {"--batch", "12"}));
  const std::vector<std::string> rates = column(scratch / "whole", "learning_rate");
  CHECK(column(scratch / "parts", "learning_rate") == rates);
  for (const char* name : {"loss", "val_loss"}) {
    const std::vector<std::string> parts = column(scratch / "parts", name);
    const std::vector<std::string> whole = column(scratch / "whole", name);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      CHECK(std::stod(parts[i]) == Approx(std::stod(whole[i])).epsilon(1e-5));
    }
  }
}

TEST_CASE("train takes the loss that it is told, and says which fit where it cannot") {
  const Scratch scratch;
  const std::string data = "generated:60x8:3";
  const Arguments both{"--epochs", "2", "--model", "mlp:8"};
  const auto told = [&](const std::string& name, const Arguments& more) {
    const Outcome outcome = train(data, scratch / name, with(both, more));
    INFO(outcome.err);
    return outcome;
  };
  CHECK(told("usual", {}).status == 0);
  const Outcome focal = told("focal", {"--loss", "categorical_focal_crossentropy"});
  CHECK(focal.status == 0);
  CHECK_THAT(focal.out, Contains("categorical_focal_crossentropy"));
  CHECK(column(scratch / "focal", "loss") != column(scratch / "usual", "loss"));
  const Outcome same = told("same", {"--loss", "categorical_crossentropy"});
  CHECK(column(scratch / "same", "loss") == column(scratch / "usual", "loss"));

  const Outcome wrong = told("wrong", {"--loss", "mean_squared_error"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.err, Contains("--loss mean_squared_error does not fit a model that ends in "
                                 "softmax; those that fit are categorical_crossentropy, "
                                 "categorical_focal_crossentropy"));
  const Outcome unknown = told("unknown", {"--loss", "mse"});
  CHECK(unknown.status == 2);
  CHECK_THAT(unknown.err, Contains("train: --loss: unknown loss 'mse'; known: "));
}

TEST_CASE("an autoencoder is trained with the mean squared error, of which no accuracy is told") {
  const Scratch scratch;
  const Arguments options{"--epochs",     "3",     "--model", "mlp:16",
                          "--class-mode", "input", "--loss",  "mean_squared_error"};
  const Outcome outcome = trained("generated:60x6x6x1:2", scratch / "run", options);
  CHECK(outcome.out.find("accuracy") == std::string::npos);
  const std::vector<std::string> losses = column(scratch / "run", "val_loss");
  CHECK(std::stod(losses.back()) < std::stod(losses.front()));
  const Outcome watched = train("generated:60x6x6x1:2", scratch / "watched",
                                with(options, {"--monitor", "val_accuracy", "--patience", "2"}));
  CHECK(watched.status == 2);
  CHECK_THAT(watched.err, Contains("counts no right answers"));
  const Outcome numbers = train("generated:60x6x6x1:2", scratch / "numbers",
                                {"--epochs", "1", "--model", "mlp:8", "--loss", "huber"});
  CHECK(numbers.status == 2);
  CHECK_THAT(numbers.err, Contains("--class-mode categorical"));
}
