// told: Pipeline
#include <millrace/pipeline/range.h>

#include <memory>
#include <optional>
#include <string>

using namespace millrace;

int main() {
  Pipeline p;
  Pipeline copy = p;  // here
}
