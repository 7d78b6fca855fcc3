#include <millrace/core/error.h>
#include <millrace/io/csv_log.h>

#include "catch.h"
#include "io/scratch.h"
#include "nn/recorded.h"

#include <fstream>
#include <iterator>
#include <limits>

using namespace millrace;
using namespace millrace::test;

TEST_CASE("A log of epochs is what Keras writes, with validation and without") {
  const Scratch scratch;
  const auto records = recorded("callbacks.json")["csv_logger"];
  for (const char* name : {"with", "without"}) {
    const auto path = scratch / name;
    CsvLog log(path);
    for (const std::uint32_t epoch : {0U, 1U}) {
      log.write(epoch, records[name]["logs"].get<std::map<std::string, double>>());
    }
    CHECK(text_of(path) == records[name]["text"].get<std::string>());
  }
}

TEST_CASE("What an epoch lacks is NA, and the first epoch fixes the columns") {
  const Scratch scratch;
  CsvLog log(scratch / "log.csv");
  log.write(0, {{"loss", 1}, {"val_loss", 2}});
  log.write(1, {{"loss", 0.5}, {"val_auc", 0.5}});
  CHECK(text_of(scratch / "log.csv") == "epoch,loss,val_loss\r\n0,1.0,2.0\r\n1,0.5,NA\r\n");
}

TEST_CASE("Columns that are given are those of a run that measures more than before") {
  const Scratch scratch;
  CsvLog log(scratch / "log.csv", {"loss", "val_loss", "val_auc"});
  log.write(0, {{"loss", 1}, {"val_loss", 2}});
  log.write(1, {{"loss", 0.5}, {"val_auc", 0.5}, {"val_loss", 1}});
  CHECK(text_of(scratch / "log.csv") ==
        "epoch,loss,val_auc,val_loss\r\n0,1.0,NA,2.0\r\n1,0.5,0.5,1.0\r\n");
  CsvLog without(scratch / "without.csv", {"loss"});
  CHECK(text_of(scratch / "without.csv") == "epoch,loss,val_loss\r\n");
}

TEST_CASE("Numbers are printed as Python prints them") {
  CHECK(python_text(0.1) == "0.1");
  CHECK(python_text(-3) == "-3.0");
  CHECK(python_text(0) == "0.0");
  CHECK(python_text(1e15) == "1000000000000000.0");
  CHECK(python_text(1e16) == "1e+16");
  CHECK(python_text(0.0001) == "0.0001");
  CHECK(python_text(0.00001234) == "1.234e-05");
  CHECK(python_text(5e-324) == "5e-324");
  CHECK(python_text(1.0 / 3) == "0.3333333333333333");
  CHECK(python_text(std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(python_text(-std::numeric_limits<double>::infinity()) == "-inf");
}

TEST_CASE("A log that cannot be written says so") {
  CHECK_THROWS_WITH(CsvLog("/nowhere/log.csv"), Catch::Contains("/nowhere/log.csv: cannot"));
}
