// solver NAME: trains NAME.solver.prototxt for 60 iterations and writes what oracle/README.md says. Built against libcaffe
// (CPU_ONLY).
#include <caffe/caffe.hpp>

#include <cstdio>

using namespace caffe;

int main(int argc, char** argv) {
  ::google::InitGoogleLogging(argv[0]);
  FLAGS_minloglevel = 1;
  Caffe::set_mode(Caffe::CPU);
  const string name = argv[1];
  SolverParameter p;
  ReadSolverParamsFromTextFileOrDie(name + ".solver.prototxt", &p);
  Caffe::set_random_seed(1701);
  p.set_random_seed(1701);
  p.set_snapshot_prefix(name);
  p.set_max_iter(60);
  shared_ptr<Solver<float> > s(SolverRegistry<float>::CreateSolver(p));
  NetParameter n;
  s->net()->ToProto(&n, false);
  WriteProtoToBinaryFile(n, name + "_init.caffemodel");
  FILE* f = fopen((name + "_loss.csv").c_str(), "w");
  fprintf(f, "iter,loss\n");
  for (int i = 0; i < 60; i++) {
    s->Step(1);
    fprintf(f, "%d,%.9g\n", i, s->net()->blob_by_name("loss")->cpu_data()[0]);
  }
  fclose(f);
  s->net()->ToProto(&n, false);
  WriteProtoToBinaryFile(n, name + "_final.caffemodel");
  s->Snapshot();
}
