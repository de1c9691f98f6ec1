// Package caffe reads and writes the files of Caffe: prototxt, caffemodel, solverstate and binaryproto.
//
// The messages are in caffepb, generated from caffe.proto. Databases of images are in caffe/dataset.
package caffe
