# application: cmake, ninja, make
# version: cmake --version
# needs: cmake ninja-build make g++ libc6-dev
# set: matrix
mkdir -p src/lib && cd src
cat > CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.13)
project(example C CXX)
enable_testing()
find_package(Threads REQUIRED)
include(CheckIncludeFile)
check_include_file(sys/epoll.h HAVE_EPOLL)
configure_file(config.h.in config.h)
file(GLOB parts lib/*.c)
add_library(parts SHARED ${parts})
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/made.in "int made(void) { return 42; }\n")
add_custom_command(OUTPUT made.c COMMAND sed s/42/43/ made.in > made.c DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/made.in)
add_executable(example main.cpp ${CMAKE_CURRENT_BINARY_DIR}/made.c)
target_include_directories(example PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
target_link_libraries(example parts Threads::Threads)
add_test(NAME runs COMMAND example)
add_test(NAME fails COMMAND example x)
install(TARGETS example parts RUNTIME DESTINATION bin LIBRARY DESTINATION lib)
C
echo '#cmakedefine HAVE_EPOLL' > config.h.in
for n in $(seq 12); do echo "int part$n(int x) { return x * $n; }" > lib/part$n.c; done
{
	echo '#include "config.h"'; echo '#include <iostream>'; echo '#include <thread>'; echo 'extern "C" {'
	for n in $(seq 12); do echo "int part$n(int);"; done
	echo 'int made(void); }'; echo 'int main(int argc, char **argv) { int sum = made();'
	for n in $(seq 12); do echo "sum += part$n($n);"; done
	echo 'std::thread([&] { sum++; }).join();'
	echo '#ifdef HAVE_EPOLL'; echo 'sum += 1000;'; echo '#endif'; echo 'std::cout << sum << std::endl; return argc - 1; }'
} > main.cpp
cmake -G Ninja -S . -B ../ninja -DCMAKE_INSTALL_PREFIX="$PWD/../installed" > ../configure.log; echo "configure $?"
ninja -j 4 -C ../ninja > ../ninja.log; echo "ninja $?"; grep -i error ../ninja.log | head; tail -1 ../ninja.log; ninja -C ../ninja | tail -1
(cd ../ninja && ctest -j 2 | grep -E 'Test +#|tests passed' | sed 's/ *[0-9.]* sec//; s/^ *[0-9]*\/[0-9]* //' | sort)
touch lib/part3.c; ninja -C ../ninja -n | grep -c part3; ninja -C ../ninja install > /dev/null; LD_LIBRARY_PATH=../installed/lib ../installed/bin/example; find ../installed -type f | sort
cmake -G 'Unix Makefiles' -S . -B ../make > /dev/null && make -j 4 -C ../make > ../make.log 2>&1; echo "make $?"; ../make/example
cat > ../Makefile <<'M'
all: $(foreach n,1 2 3 4 5 6 7 8 9 10,out$(n))
	@cat $^ | sort -n | tr '\n' ' '
out%:
	@sleep 0.02; echo $* > $@
bad:
	@false
.INTERMEDIATE: out3
M
cd .. && make -s -j 5; make -s -j 5 all; echo; make -s bad 2> /dev/null; echo "exit $?"; ls out* | wc -l
