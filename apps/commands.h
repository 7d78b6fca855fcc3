#pragma once
// The commands of the program `millrace`. Each takes the arguments after its name and returns an
// exit status: 0 ok, 129, 130 or 143 after a clean stop. Failures are thrown: UsageError (status
// 2), any other exception (status 1).

#include <string>
#include <vector>

namespace millrace::apps {

using Arguments = std::vector<std::string>;

int train(const Arguments& arguments);
int evaluate(const Arguments& arguments);
int predict(const Arguments& arguments);
int inspect(const Arguments& arguments);
int bench(const Arguments& arguments);
int convert(const Arguments& arguments);
int prune(const Arguments& arguments);

}  // namespace millrace::apps
